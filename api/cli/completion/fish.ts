/** Completion for fish. */
import { PROGRAM } from '../help.js'
import { besideCommands, origin, type Completable } from './completable.js'

export function fishScript(commands: readonly Completable[]): string {
  const names = commands.map(({ name }) => name).join(' ')
  const line = (...words: readonly string[]): string => ['complete', '-c', PROGRAM, ...words].join(' ')
  const first = [...commands, ...besideCommands].map(({ name, summary }) =>
    line('-n', '__fish_use_subcommand', '-f', '-a', quoted(name), '-d', quoted(summary)),
  )
  const others = commands.flatMap(({ name, options, words }) => {
    const when = ['-n', quoted(`__fish_seen_subcommand_from ${name}`)]
    return [
      ...(words.length === 0 ? [] : [line(...when, '-f', '-a', quoted(words.join(' ')))]),
      ...options.map(({ name: option, help, takesValue, words: values }) => {
        const value = values.length === 0 ? ['-r'] : ['-x', '-a', quoted(values.join(' '))]
        return line(...when, '-l', option.slice(2), ...(takesValue ? value : []), '-d', quoted(help))
      }),
    ]
  })
  const help = line('-n', quoted('__fish_seen_subcommand_from help'), '-f', '-a', quoted(names))
  return `${[origin('fish'), ...first, help, ...others].join('\n')}\n`
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
