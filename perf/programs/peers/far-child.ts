/** The other side as a child process of this one. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import process from 'node:process'
import type { ComparedSettings } from './compared-stack.js'

type Serialization = 'json' | 'advanced'

export function spawnFar(
  { far }: ComparedSettings,
  stdio: StdioOptions,
  serialization: Serialization = 'json',
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [...process.execArgv, far.program, far.argument], { stdio, serialization })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('spawn', () => {
      resolve(child)
    })
  })
}

/** True: it ended well, by itself. */
export function endOf(child: ChildProcess | undefined): Promise<boolean> {
  if (child === undefined) return Promise.resolve(true)
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode === 0)
  return new Promise((resolve) =>
    child.once('exit', (code) => {
      resolve(code === 0)
    }),
  )
}
