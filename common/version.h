/* SPDX-License-Identifier: MIT */
/* The version of both programs. */
#ifndef COMMON_VERSION_H
#define COMMON_VERSION_H

#define SIMPLEVPN_VERSION "0.1.0"

#endif
