/** One small process for an engine, which ends the children of a killed host. See docs/decisions/children.md. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import process from 'node:process'
import type { Writable } from 'node:stream'
import type { Ledger } from '../common/ledger.js'
import { trace } from '../common/trace.js'
import type { TerminationSettings } from './termination.js'
import { GUARDIAN_NAME, GUARDIAN_SCRIPT } from './guardian-script.js'
import { startOfProcess } from '../sockets/creator.js'
import { assertDescriptors, isShortage } from '../sockets/spare-descriptors.js'

/** A guardian that has ended is replaced; after so many there is none any more. */
const MOST_DEATHS = 3

type Shell = ChildProcessByStdio<Writable, null, null>

type State =
  | { readonly kind: 'none' }
  | { readonly kind: 'starting'; readonly started: Promise<void> }
  | { readonly kind: 'up'; readonly shell: Shell }
  /** There is no shell, or each one ends, or there is nothing left to guard. */
  | { readonly kind: 'over' }

export class Guardian {
  readonly #ledger: Ledger
  readonly #shell: string
  /** The line for each child, for a successor too. */
  readonly #wards = new Map<number, string>()
  #state: State = { kind: 'none' }
  #deaths = 0
  #ends: Promise<void> = Promise.resolve()

  constructor(ledger: Ledger, shell = '/bin/sh') {
    this.#ledger = ledger
    this.#shell = shell
  }

  /** Resolves when it runs, or cannot. Rejects with the system's error for want of descriptors or processes. */
  start(): Promise<void> {
    if (this.#state.kind === 'none') this.#state = { kind: 'starting', started: this.#spawn() }
    return this.#state.kind === 'starting' ? this.#state.started : Promise.resolve()
  }

  /** In the turn in which the child was started: it is not reaped yet, so its number is its own. */
  watch(pid: number, { processGroup, terminateAfterMs, killAfterMs }: TerminationSettings): void {
    const group = processGroup ? 1 : 0
    const terminate = tenths(terminateAfterMs)
    const kill = terminate + tenths(killAfterMs)
    const line = `add ${String(pid)} ${startOfProcess(String(pid)) ?? '-'} ${String(group)} ${String(terminate)} ${String(kill)}\n`
    this.#wards.set(pid, line)
    this.#write(line)
  }

  /** Nothing is left of it. */
  forget(pid: number): void {
    if (this.#wards.delete(pid)) this.#write(`del ${String(pid)}\n`)
  }

  /** After the last child. Resolves when the guardian was reaped. */
  async close(): Promise<void> {
    if (this.#state.kind === 'starting') await this.#state.started.catch(() => undefined)
    if (this.#state.kind === 'up') {
      const { shell } = this.#state
      this.#state = { kind: 'over' }
      shell.ref()
      shell.kill('SIGKILL')
    }
    await this.#ends
  }

  #write(line: string): void {
    // Small, and into an empty socket: written before this returns.
    if (this.#state.kind === 'up') this.#state.shell.stdin.write(line)
  }

  async #spawn(): Promise<void> {
    let shell: Shell
    try {
      shell = await spawnShell(this.#shell)
    } catch (error) {
      if (isShortage(error as NodeJS.ErrnoException)) {
        this.#state = { kind: 'none' }
        throw error
      }
      this.#giveUp(`${this.#shell} cannot be started: ${String(error)}`)
      return
    }
    trace('guardian %d: up', shell.pid)
    this.#ledger.open('guardians')
    this.#ends = new Promise((resolve) => {
      shell.once('exit', () => {
        this.#ledger.release('guardians')
        this.#onEnd(shell)
        resolve()
      })
    })
    this.#state = { kind: 'up', shell }
    for (const line of this.#wards.values()) this.#write(line)
  }

  #onEnd(shell: Shell): void {
    shell.stdin.destroy()
    if (this.#state.kind !== 'up') return
    trace('guardian %d: ended by others', shell.pid)
    this.#state = { kind: 'none' }
    if (++this.#deaths === MOST_DEATHS) this.#giveUp('it was ended again and again')
    // With nothing to guard, the next child starts one.
    else if (this.#wards.size > 0) this.start().catch(() => undefined)
  }

  #giveUp(why: string): void {
    this.#state = { kind: 'over' }
    process.emitWarning(
      `child processes are not guarded: ${why}. If a signal ends this process, they see the end of their stdin and may live on. Ignore this with guard: false.`,
      { type: 'TransportWarning', code: 'SYMPHONY_NO_GUARDIAN' },
    )
  }
}

/** Rejects with the system's error. */
function spawnShell(command: string): Promise<Shell> {
  return new Promise((resolve, reject) => {
    assertDescriptors()
    const shell = spawn(command, ['-c', GUARDIAN_SCRIPT, GUARDIAN_NAME], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // A session of its own, for signals of the terminal are not meant for it. It holds no folder.
      detached: true,
      cwd: '/',
      env: { LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/bin:/bin` },
    })
    shell.once('error', reject)
    shell.once('spawn', () => {
      shell.off('error', reject)
      // It has ended, which its exit says.
      shell.on('error', () => undefined)
      shell.stdin.on('error', () => undefined)
      shell.unref()
      // A socket, unlike its type says.
      ;(shell.stdin as Writable & { unref(): void }).unref()
      resolve(shell)
    })
  })
}

function tenths(ms: number): number {
  return Math.ceil(ms / 100)
}
