/** Completion for bash. Where it has nothing to offer, files are. */
import { PROGRAM } from '../help.js'
import { besideCommands, origin, type Completable } from './completable.js'

const FUNCTION = '_symphony_transport'

export function bashScript(commands: readonly Completable[]): string {
  const names = commands.map(({ name }) => name)
  const values = commands.flatMap(({ name, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map((option) => `    '${name} ${option.name}') offer '${option.words.join(' ')}'; return ;;`),
  )
  const words = commands.map(
    ({ name, options, words: own }) =>
      `    ${name}) offer '${[...own, ...options.map((each) => each.name)].join(' ')}' ;;`,
  )
  return `${origin('bash')}
${FUNCTION}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" word
  COMPREPLY=()
  offer() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
  # Readline takes --name=value for three words.
  if [[ $current == = ]]; then current=; elif [[ $previous == = ]]; then previous="\${COMP_WORDS[COMP_CWORD - 2]}"; fi
  if ((COMP_CWORD == 1)); then
    offer '${[...names, ...besideCommands.map(({ name }) => name)].join(' ')}'
    return
  fi
  for word in "\${COMP_WORDS[@]:2:COMP_CWORD - 2}"; do
    if [[ $word == -- ]]; then return; fi
  done
  case "\${COMP_WORDS[1]} $previous" in
    'help help') offer '${names.join(' ')}'; return ;;
${values.join('\n')}
  esac
  case "\${COMP_WORDS[1]}" in
${words.join('\n')}
  esac
}
complete -o default -F ${FUNCTION} ${PROGRAM}
`
}
