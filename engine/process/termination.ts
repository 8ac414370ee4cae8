/** Ends a child, and its process group where it has one: the end of its stdin, a while, SIGTERM, a while, SIGKILL. */
import type { ChildProcess } from 'node:child_process'
import process from 'node:process'
import { trace } from '../common/trace.js'
import type { Clock } from '../protocol/clock.js'

export interface TerminationSettings {
  /** Its own process group, all of which is ended with it. */
  readonly processGroup: boolean
  /** From the end of its stdin to SIGTERM, milliseconds. */
  readonly terminateAfterMs: number
  /** From SIGTERM to SIGKILL, milliseconds. */
  readonly killAfterMs: number
}

/** `asked`: its stdin has ended or will. `terminating`: it got SIGTERM. `killing`: it got SIGKILL. */
export type TerminationState = 'running' | 'asked' | 'terminating' | 'killing' | 'exited'

export type TerminationEvent = 'endSoon' | 'endNow' | 'timer' | 'exit'

const transitions: Record<TerminationState, Partial<Record<TerminationEvent, TerminationState>>> = {
  running: { endSoon: 'asked', endNow: 'terminating', exit: 'exited' },
  asked: { endNow: 'terminating', timer: 'terminating', exit: 'exited' },
  // One SIGTERM: a second means something else to some programs, and would put SIGKILL off.
  terminating: { timer: 'killing', exit: 'exited' },
  killing: { exit: 'exited' },
  exited: {},
}

export function nextTermination(state: TerminationState, event: TerminationEvent): TerminationState {
  return transitions[state][event] ?? state
}

/** How often is looked whether the rest of a process group is gone. */
const GROUP_LOOK_MS = 20

export class Termination {
  readonly #child: Pick<ChildProcess, 'ref' | 'kill'>
  readonly #pid: number
  readonly #settings: TerminationSettings
  readonly #clock: Clock
  #state: TerminationState = 'running'
  #cancelTimer = (): void => undefined

  constructor(child: Pick<ChildProcess, 'ref' | 'kill'>, pid: number, settings: TerminationSettings, clock: Clock) {
    this.#child = child
    this.#pid = pid
    this.#settings = settings
    this.#clock = clock
  }

  advance(event: Exclude<TerminationEvent, 'exit'>): void {
    const before = this.#state
    this.#state = nextTermination(before, event)
    if (this.#state === before) return
    this.#cancelTimer()
    if (this.#state === 'asked') this.#setTimer(this.#settings.terminateAfterMs)
    else if (this.#state === 'terminating') {
      this.#signal('SIGTERM')
      this.#setTimer(this.#settings.killAfterMs)
    } else this.#signal('SIGKILL')
  }

  /** At once, with what is left of its group. */
  kill(): void {
    if (this.#hasGroup) this.#signalGroup('SIGKILL')
    if (this.#state !== 'exited') this.#signal('SIGKILL')
  }

  /** The child has exited. Resolves when its group is gone. */
  onExit(): Promise<void> {
    const hasSigterm = this.#state === 'terminating' || this.#state === 'killing'
    this.#state = nextTermination(this.#state, 'exit')
    this.#cancelTimer()
    if (!this.#hasGroup) return Promise.resolve()
    if (!hasSigterm) this.#signalGroup('SIGTERM')
    return this.#endGroup(this.#settings.killAfterMs)
  }

  #setTimer(ms: number): void {
    // The host waits for the child's end.
    this.#child.ref()
    this.#cancelTimer = this.#clock.setTimer(() => this.advance('timer'), ms)
  }

  #signal(signal: NodeJS.Signals): void {
    trace('child %d: %s', this.#pid, signal)
    // Where the group is gone the child may still be there, in another one of its choice.
    if (!this.#hasGroup || !this.#signalGroup(signal)) this.#child.kill(signal)
  }

  get #hasGroup(): boolean {
    return this.#settings.processGroup && process.platform !== 'win32'
  }

  /** False: no process is in it. 0 asks without a signal. */
  #signalGroup(signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-this.#pid, signal)
    } catch {
      return false
    }
  }

  /** The group has SIGTERM: resolves when it is gone, with SIGKILL after `leftMs`. */
  #endGroup(leftMs: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (left: number): void => {
        if (!this.#signalGroup(left > 0 ? 0 : 'SIGKILL') || left <= 0) {
          resolve()
          return
        }
        const pause = Math.min(left, GROUP_LOOK_MS)
        this.#clock.setTimer(() => look(left - pause), pause)
      }
      look(leftMs)
    })
  }
}
