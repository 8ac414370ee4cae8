/** Completion for zsh, to be sourced, or as a file `_symphony-transport` in a folder of `$fpath`. */
import { PROGRAM } from '../help.js'
import { besideCommands, origin, type Completable, type CompletableOption } from './completable.js'

const FUNCTION = '_symphony_transport'

export function zshScript(commands: readonly Completable[]): string {
  const described = [...commands, ...besideCommands].map(
    ({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(':', '\\:')}`)}`,
  )
  const cases = commands.map(({ name, options, words }) => {
    const operand = words.length === 0 ? '*:file:_files' : `1:word:(${words.join(' ')})`
    return `    ${name}) _arguments ${[...options.map(argument), operand].map(quoted).join(' ')} ;;`
  })
  return `#compdef ${PROGRAM}
${origin('zsh')}
${FUNCTION}() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if ((CURRENT == 2)) || { ((CURRENT == 3)) && [[ $words[2] == help ]]; }; then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == ${FUNCTION} || $funcstack[1] == _${PROGRAM} ]]; then
  ${FUNCTION} "$@"
else
  compdef ${FUNCTION} ${PROGRAM}
fi
`
}

/** As `_arguments` takes it: `--name=[help]:value:(words)`. */
function argument({ name, help, takesValue, words }: CompletableOption): string {
  const shown = `[${help.replaceAll(/[[\]:\\]/g, '\\$&')}]`
  if (!takesValue) return `${name}${shown}`
  return `${name}=${shown}:value:${words.length === 0 ? '_files' : `(${words.join(' ')})`}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
