/** `symphony-transport completion`: a script by which a shell completes what is typed. */
import { defineCommand, exitCodes, type Command } from '../command.js'
import { bashScript } from '../completion/bash.js'
import { completable, type Completable } from '../completion/completable.js'
import { fishScript } from '../completion/fish.js'
import { zshScript } from '../completion/zsh.js'
import { option } from '../options/option.js'
import { oneOf } from '../options/reader.js'

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const
const shells = ['bash', 'zsh', 'fish'] as const satisfies readonly (keyof typeof scripts)[]

/** `commands`: all of them, this one too. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return defineCommand({
    name: 'completion',
    summary: 'prints a script that completes commands and options in a shell',
    options: { shell: option(oneOf(shells), 'SHELL', 'bash, zsh or fish') },
    operands: ['shell'],
    notes: [
      'bash: source <(symphony-transport completion bash) in ~/.bashrc',
      'zsh:  source <(symphony-transport completion zsh) in ~/.zshrc, behind compinit',
      'fish: symphony-transport completion fish | source in config.fish',
    ],
    examples: ['completion bash'],
    run({ shell = 'bash' }, { terminal }) {
      const script: (of: readonly Completable[]) => string = scripts[shell]
      terminal.output.write(script(commands().map(completable)))
      return Promise.resolve(exitCodes.ok)
    },
  })
}
