/** The place of one shard, which is started anew when it dies, within the restart budget, as the next generation. */
import process from 'node:process'
import { nameOf } from '../common/describe.js'
import { events } from '../common/diagnostics.js'
import type { LedgerSource } from '../common/ledger.js'
import { trace } from '../common/trace.js'
import type { Clock } from '../protocol/clock.js'
import { createCounters, handlerLines, readHandlerCounters } from '../protocol/counters.js'
import type { TransportError } from '../protocol/errors.js'
import { RestartBudget, type RestartOptions } from './restart-budget.js'
import type { Shard, ShardStats } from './shard.js'
import type { ShardLife } from './shard-environment.js'

export type SupervisedShard = Pick<Shard, 'booted' | 'ended' | 'isUp' | 'keepAlive' | 'stats'>

export interface SlotHost<S extends SupervisedShard> {
  readonly engine: string
  start(life: ShardLife): S
  /** A shard that had been lost is up again. */
  onRestored(shard: S): void
  /** Its connections have ended, and it may come back. */
  onLost(shard: S): void
  /** It died once more than the budget allows, and does not come back. */
  onGivenUp(error: TransportError): void
}

export type SlotState<S> =
  | { readonly kind: 'running'; readonly shard: S }
  /** It runs, and is not replaced when it ends. */
  | { readonly kind: 'retiring'; readonly shard: S }
  /** It is dead; the next one starts at `dueAt`. */
  | { readonly kind: 'waiting'; readonly last: ShardStats; readonly dueAt: number }
  | { readonly kind: 'given-up'; readonly last: ShardStats }
  | { readonly kind: 'stopped'; readonly last: ShardStats }

export type SlotEvent<S> =
  | { readonly kind: 'retired' }
  | { readonly kind: 'stopped'; readonly last: ShardStats }
  /** `dueAt`: when the next one may start; undefined: the budget is spent. */
  | { readonly kind: 'lost'; readonly last: ShardStats; readonly dueAt: number | undefined }
  | { readonly kind: 'restarted'; readonly shard: S }

export function nextSlotState<S>(state: SlotState<S>, event: SlotEvent<S>): SlotState<S> {
  switch (event.kind) {
    case 'retired':
      if (state.kind === 'waiting') return { kind: 'stopped', last: state.last }
      return state.kind === 'running' ? { kind: 'retiring', shard: state.shard } : state
    case 'stopped':
      return 'shard' in state ? event : state
    case 'lost': {
      const { last, dueAt } = event
      if (!('shard' in state)) return state
      if (state.kind === 'retiring') return { kind: 'stopped', last }
      return dueAt === undefined ? { kind: 'given-up', last } : { kind: 'waiting', last, dueAt }
    }
    case 'restarted':
      return state.kind === 'waiting' ? { kind: 'running', shard: event.shard } : state
  }
}

export class ShardSlot<S extends SupervisedShard> {
  readonly #index: number
  readonly #host: SlotHost<S>
  readonly #restart: RestartOptions
  readonly #clock: Clock
  readonly #budget: RestartBudget
  readonly #counters = createCounters()
  #generation = 0
  #keepAlive = 0
  #state: SlotState<S>
  #cancelTimer = (): void => undefined

  /** The first life starts at once; `supervise()` replaces it when it dies. */
  constructor(index: number, host: SlotHost<S>, restart: RestartOptions, clock: Clock) {
    this.#index = index
    this.#host = host
    this.#restart = restart
    this.#clock = clock
    this.#budget = new RestartBudget(restart, () => clock.now())
    this.#state = { kind: 'running', shard: this.#start() }
  }

  /** Undefined: its thread is gone. */
  get shard(): S | undefined {
    return 'shard' in this.#state ? this.#state.shard : undefined
  }

  /** Whether no shard runs here and none will. */
  get isOver(): boolean {
    return this.#state.kind === 'given-up' || this.#state.kind === 'stopped'
  }

  stats(): ShardStats {
    if ('shard' in this.#state) return this.#state.shard.stats()
    const { kind, last } = this.#state
    return { ...last, state: kind === 'waiting' ? 'restarting' : kind }
  }

  /** What handler modules have opened and released on it, in all of its lives. */
  readonly servedLines: LedgerSource = () => {
    const counters = readHandlerCounters(this.#counters)
    const lines = Object.entries(handlerLines)
    return Object.fromEntries(
      lines.map(([kind, [opened, released]]) => [kind, { opened: counters[opened], released: counters[released] }]),
    )
  }

  supervise(): void {
    const { shard } = this
    void shard?.ended.then((error) => this.#onEnded(shard, error))
  }

  /** From here on no shard is started. */
  retire(): void {
    this.#cancelTimer()
    this.#state = nextSlotState(this.#state, { kind: 'retired' })
  }

  /** Counts who needs the shard: the process waits for it, in whichever life, while any does. */
  keepAlive(on: boolean): void {
    const before = this.#keepAlive > 0
    this.#keepAlive += on ? 1 : -1
    this.shard?.keepAlive(on)
    if (before !== this.#keepAlive > 0 && this.#state.kind === 'waiting') this.#setTimer(this.#state.dueAt)
  }

  #start(): S {
    this.#generation++
    trace('shard %d: starting, generation %d', this.#index, this.#generation)
    const shard = this.#host.start({ index: this.#index, generation: this.#generation, counters: this.#counters })
    for (let i = 0; i < this.#keepAlive; i++) shard.keepAlive(true)
    // A failure to boot is reported where the boot is awaited, and as the shard's end.
    shard.booted.catch(() => undefined)
    return shard
  }

  #onEnded(shard: S, error: TransportError | undefined): void {
    // Not the shard itself: its memory must go.
    const last = shard.stats()
    if (error === undefined) {
      this.#state = nextSlotState(this.#state, { kind: 'stopped', last })
      return
    }
    const cause = error.cause instanceof Error ? error.cause.message : nameOf(error.cause)
    trace('shard %d: lost (%s)', this.#index, cause)
    const delay = this.#state.kind === 'running' ? this.#budget.next() : undefined
    const dueAt = delay === undefined ? undefined : this.#clock.now() + delay
    // Before the events, whose subscribers may look at it.
    const state = nextSlotState(this.#state, { kind: 'lost', last, dueAt })
    this.#state = state
    if (state.kind === 'waiting') this.#setTimer(state.dueAt)
    const event = { engine: this.#host.engine, shard: this.#index, generation: this.#generation, error }
    events.shardLost.publish(event)
    this.#host.onLost(shard)
    if (state.kind !== 'given-up') return
    events.shardGivenUp.publish(event)
    const { max, windowMs } = this.#restart
    process.emitWarning(
      `shard ${String(this.#index)} died ${String(max + 1)} times within ${String(windowMs)} ms and is not started again (${cause})`,
      { type: 'TransportWarning', code: 'SYMPHONY_SHARD_GIVEN_UP' },
    )
    this.#host.onGivenUp(error)
  }

  /** The process waits for the restart only if something needs the shard. */
  #setTimer(dueAt: number): void {
    this.#cancelTimer()
    const onDue = (): void => this.#restartNow()
    const delay = Math.max(0, dueAt - this.#clock.now())
    this.#cancelTimer = this.#clock.setTimer(onDue, delay, { keepsAlive: this.#keepAlive > 0 })
  }

  #restartNow(): void {
    const shard = this.#start()
    const generation = this.#generation
    this.#state = nextSlotState(this.#state, { kind: 'restarted', shard })
    this.supervise()
    shard.booted.then(
      () => {
        if (this.#state.kind !== 'running' || this.#state.shard !== shard || !shard.isUp) return
        trace('shard %d: restored, generation %d', this.#index, generation)
        events.shardRestored.publish({ engine: this.#host.engine, shard: this.#index, generation })
        this.#host.onRestored(shard)
        // If it does not boot, the thread's end follows, and is one death more.
      },
      () => undefined,
    )
  }
}
