#!/bin/sh
# SPDX-License-Identifier: MIT
#
# common/completion.sh bash|zsh NAME: writes the completion of a program that
# is installed as NAME.  Its --help comes on standard input: that is printed
# from the table of options, so there is no second list to keep.  Commands are
# the lower-case words behind the program's name in the usage lines and in those
# below "Commands"; their options stand behind them, and behind "Each takes".

set -eu
case ${1:-} in
bash | zsh) ;;
*)
	echo "usage: common/completion.sh bash|zsh NAME <HELP" >&2
	exit 2
	;;
esac

exec awk -v shell="$1" -v name="$2" '
# What a value of that name in --help can be, in a word.
function kind(option, argument) {
	if (argument ~ /^[a-z-]+(\|[a-z-]+)+$/) {
		gsub(/\|/, " ", argument)
		return "words " argument
	}
	if (argument ~ /^(FILE|PATH|SOCKET)$/)
		return "file"
	if (argument ~ /^(CMD|COMMAND|TEMPLATE)$/)
		return "command"
	if (option == "--user")
		return "user"
	if (argument == "INTERFACE" || option == "--tun")
		return "interface"
	if (option == "--congestion")
		return "congestion"
	return argument == "" ? "" : "text"
}

# "srv status [--json] ...", of which text is what follows the program.
function add_command(word, text) {
	if (word !~ /^[a-z][a-z-]*$/)
		return
	if (!(word in command_options)) {
		command_words = command_words \
			(command_words == "" ? "" : " ") word
		command_options[word] = ""
	}
	while (match(text, /[[ ]--?[a-z][a-z-]*/)) {
		command_options[word] = command_options[word] " " \
			substr(text, RSTART + 1, RLENGTH - 1)
		text = substr(text, RSTART + RLENGTH)
	}
}

/^usage:/ { usage = 1; program = $2; sub(/^usage:/, "") }
usage && NF == 0 { usage = 0 }
usage { add_command($2, $0) }

/^Commands.*:$/ { section = "Commands"; next }
section == "Commands" && $1 == program { add_command($2, $0) }
section == "Commands" && /^Each takes/ && match($0, /--[a-z-]+/) {
	each_takes = " " substr($0, RSTART, RLENGTH)
}
/^[A-Z][A-Za-z ]*:$/ { section = $0; next }
/^[^ ]/ { section = "" }
section ~ /ptions:$/ && /^  (-., |    )--/ {
	n++
	i = 1
	if ($i ~ /^-.,$/)
		letter[n] = substr($(i++), 1, 2)
	long[n] = $(i++)
	text = $0
	sub(/^  (-., |    )--[^ ]+/, "", text)
	if (text ~ /^ [^ ]/) {
		argument[n] = $(i++)
		sub(/^ [^ ]+/, "", text)
	}
	sub(/^ +/, "", text)
	help[n] = text
	next
}
section ~ /ptions:$/ && n && /^        / {
	text = $0
	sub(/^ +/, "", text)
	help[n] = help[n] (help[n] == "" ? "" : " ") text
}

# --- bash ---

function bash_value(what) {
	if (what == "file")
		return "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\"))"
	if (what == "command")
		return "COMPREPLY=($(compgen -c -- \"$cur\"))"
	if (what == "user")
		return "COMPREPLY=($(compgen -u -- \"$cur\"))"
	if (what == "interface")
		what = "words $(ls /sys/class/net)"
	if (what == "congestion")
		what = "words kernel $(cat /proc/sys/net/ipv4/tcp_available_congestion_control)"
	if (what ~ /^words /)
		return "COMPREPLY=($(compgen -W \"" substr(what, 7) "\" -- \"$cur\"))"
	return ":"
}

function print_bash(    i, m, what, words, texts, command, function_name) {
	function_name = "_" name
	gsub(/[^A-Za-z0-9_]/, "_", function_name)
	print "# bash completion for " name
	print function_name "()\n{"
	print "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}"
	print "\tCOMPREPLY=()"
	print "\tif [[ $cur == = ]]; then\n\t\tcur="
	print "\telif [[ $prev == = ]]; then"
	print "\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n\tfi"
	print "\tcase $prev in"
	for (i = 1; i <= n; i++) {
		words = words (i > 1 ? " " : "") long[i]
		if (letter[i] != "")
			words = words " " letter[i]
		what = kind(long[i], argument[i])
		if (what == "text")
			texts = texts (texts == "" ? "" : " | ") \
				(letter[i] == "" ? "" : letter[i] " | ") long[i]
		else if (what != "")
			print "\t" (letter[i] == "" ? "" : letter[i] " | ") \
				long[i] ")\n\t\t" bash_value(what) \
				"\n\t\treturn\n\t\t;;"
	}
	if (texts != "")
		print "\t" texts ")\n\t\treturn\n\t\t;;"
	print "\tesac"
	print "\tlocal words=\"" words "\""
	if (command_words != "") {
		print "\tcase ${COMP_WORDS[1]-} in"
		m = split(command_words, command, " ")
		for (i = 1; i <= m; i++)
			print "\t" command[i] ") words=\"" substr(each_takes \
				command_options[command[i]], 2) "\" ;;"
		print "\tesac"
	}
	print "\tif [[ $cur == -* ]]; then"
	print "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))"
	if (command_words != "") {
		print "\telif ((COMP_CWORD == 1)); then"
		print "\t\tCOMPREPLY=($(compgen -W \"" command_words \
			"\" -- \"$cur\"))"
	}
	print "\tfi\n}"
	print "complete -F " function_name " " name
}

# --- zsh ---

function zsh_value(what) {
	if (what == "file")
		return "_files"
	if (what == "command")
		return "_command_names -e"
	if (what == "user")
		return "_users"
	if (what == "interface")
		return "_net_interfaces"
	if (what == "congestion")
		return "{compadd kernel $(</proc/sys/net/ipv4/tcp_available_congestion_control)}"
	if (what ~ /^words /)
		return "(" substr(what, 7) ")"
	return " "
}

function print_zsh(    i, what, text, line, quote) {
	quote = sprintf("%c", 39)
	print "#compdef " name
	print "_arguments -s \\"
	for (i = 1; i <= n; i++) {
		text = help[i]
		sub(/ *\[.*/, "", text)
		gsub(/\\/, "&&", text)
		gsub(/:/, "\\:", text)
		gsub(/\]/, "\\]", text)
		gsub(quote, quote "\\" quote quote, text)
		what = kind(long[i], argument[i])
		line = "[" text "]"
		if (what != "")
			line = line ":" argument[i] ":" zsh_value(what)
		line = quote line quote
		if (letter[i] != "")
			print "\t\"*\"{" letter[i] "," long[i] "}" line " \\"
		else
			print "\t\"*" long[i] "\"" line " \\"
	}
	if (command_words != "")
		print "\t" quote "1:command:(" command_words ")" quote " \\"
	print "\t" quote "*: :_default" quote
}

END {
	if (n == 0) {
		print "completion.sh: no options in this --help" >"/dev/stderr"
		exit 1
	}
	if (shell == "bash")
		print_bash()
	else
		print_zsh()
}'
