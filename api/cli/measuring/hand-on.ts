/** Another program of the package takes over: the words, the terminal, and the exit code. It ends with this one. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** Beside `api`: nothing of it is imported, since measuring is no part of what a host loads. */
const programs = new URL('../../../perf/', import.meta.url)

/** The exit code. `startedAs`: what its help and its messages call it. */
export async function handOn(
  program: 'run.js' | 'self-check.js',
  startedAs: string,
  words: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const child = fork(fileURLToPath(new URL(program, programs)), [...words], {
    stdio: 'inherit',
    env: { ...process.env, SYMPHONY_STARTED_AS: startedAs },
  })
  // From a terminal it has had the signal itself, and is ending.
  const stop = (): void => void child.kill('SIGTERM')
  signal.addEventListener('abort', stop)
  try {
    const [code, endedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return endedBy === null ? (code ?? 1) : 128 + constants.signals[endedBy]
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
