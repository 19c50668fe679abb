# Completion of cubby(1) for bash.
_cubby() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    if [ "$before" = --probe ]; then
        mapfile -t COMPREPLY < <(compgen -W "/readyz /healthz http://" -- "$word")
    elif [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "--check --help --help-markdown --probe --version" -- "$word")
    else
        COMPREPLY=()
    fi
}
complete -F _cubby cubby
