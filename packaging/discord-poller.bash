# bash completion for discord-poller

_discord_poller() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="poll_recent_messages import_messages export_messages session status doctor
        prune fill demo invite exporter install-exporter migrate createsuperuser changepassword help"
    local command=${COMP_WORDS[1]} words=

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
        return
    fi
    case $previous in
    --start | --end | --session | --channel | --title)
        return
        ;;
    --format)
        mapfile -t COMPREPLY < <(compgen -W "jsonl csv" -- "$current")
        return
        ;;
    --output | --from)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    case $command in
    poll_recent_messages) words="--now" ;;
    import_messages) words="--start --end --session --channel --session-title --raw" ;;
    export_messages) words="--session --format --excel --raw --output --with-deleted --no-with-deleted" ;;
    migrate) words="--no-backup" ;;
    status) words="--json" ;;
    doctor) words="--offline --exporter" ;;
    prune) words="--dry-run" ;;
    exporter) words="--channel --after --before --format --output --utc --markdown" ;;
    install-exporter) words="--version --from --url --sha256 --rollback --folder" ;;
    session)
        if [ "$COMP_CWORD" -eq 2 ]; then
            words="add list show edit end retry"
        else
            case ${COMP_WORDS[2]} in
            add) words="--start --end --channel --allow-overlap" ;;
            edit) words="--title --start --end --channel --allow-overlap" ;;
            esac
        fi
        ;;
    help) words=$commands ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words --help" -- "$current")
    if [ "$command" = import_messages ] && [[ $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}
complete -o filenames -F _discord_poller discord-poller
