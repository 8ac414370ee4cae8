/**
 * Main's side of all bells: the only place where main waits, spins or is woken.
 *
 * Parked, the event loop sleeps and a shard's message wakes it. Running, a `setImmediate` loop looks at the bells
 * in each turn, so that shards need not wake it; the event loop stays live. It runs while links have more news than
 * one turn's budget, and while a spin is armed.
 *
 * Spinning saves wake-ups, which are most of a round trip on an idle machine (25 us each on a virtual CPU). About 35
 * policies were measured, see docs/decisions/wake-policy.md; what won is that only the side that dialled spins, only
 * after its own send, until the reply or for a millisecond. It gives up on connections that send without being
 * answered. With one CPU, spinning takes the time away from whoever would answer: then main always parks.
 */
import { availableParallelism } from 'node:os'
import type { BellListener } from '../protocol/bell.js'
import type { Flushable, NotifyHandler, PendingReply } from '../connection/lane-host.js'
import type { WakePolicy } from './wake-policy.js'
import { SpinTuner } from './spin-tuner.js'

const ADAPTIVE_SPIN_MS = 1
/** Spins in a row without a reply after which a connection stops spinning. */
const MISSES_BEFORE_REST = 8
/** A resting connection tries again at every so manieth flush. */
const PROBE_EVERY = 64

/** From turn to turn when no connection keeps the process; timers know nothing shorter. */
const UNREFERENCED_TURN_MS = 1

/** One shard's bell and what to do about a lane that has news. */
export interface BellSource {
  readonly listener: BellListener
  /** True: the lane has more news than one budget. */
  readonly visit: (laneId: number) => void
  /** Whether the shard is to look for main's news by itself for a moment, instead of being woken for each. */
  readonly stayAwake: (on: boolean) => void
}

type Policy =
  { readonly kind: 'park' } | { readonly kind: 'adaptive' } | { readonly kind: 'fixed'; readonly ms: number }

export class Doorbell {
  readonly #policy: Policy
  readonly #sources = new Set<BellSource>()
  #running = false
  #flushing = false
  #inTurn = false
  #flushes: Flushable[] = []
  /** Once each, however often they ask: what a turn gives to one connection stays one budget. */
  #revisits = new Set<NotifyHandler>()
  readonly #spinning = new Set<PendingReply>()
  readonly #chooser = new SpinTuner()
  #shardsStayAwake = false
  #spinUntil = 0
  readonly #isReferenced: () => boolean

  constructor(policy: WakePolicy, isReferenced: () => boolean) {
    this.#isReferenced = isReferenced
    if (policy === 'park' || availableParallelism() === 1) this.#policy = { kind: 'park' }
    else if (policy === 'adaptive') this.#policy = { kind: 'adaptive' }
    else this.#policy = { kind: 'fixed', ms: policy.spinMicros / 1000 }
  }

  /** Whether main goes on after this turn instead of going to sleep. */
  get isRunning(): boolean {
    return this.#running
  }

  add(source: BellSource): void {
    this.#sources.add(source)
    if (this.#shardsStayAwake) source.stayAwake(true)
    if (!this.#running) source.listener.park()
  }

  remove(source: BellSource): void {
    this.#sources.delete(source)
  }

  /** A shard's wake-up has come. */
  onWake(source: BellSource): void {
    // A running loop looks by itself in this very turn.
    if (this.#running || !this.#sources.has(source)) return
    this.#look(source)
    if (!this.#mustRun() && source.listener.park()) return
    this.#run()
  }

  flushSoon(flushable: Flushable): void {
    this.#flushes.push(flushable)
    // Within a turn its end flushes; otherwise the microtask after whatever the host is doing.
    if (this.#flushing || this.#inTurn) return
    this.#flushing = true
    queueMicrotask(this.#flushAll)
  }

  revisit(reader: NotifyHandler): void {
    this.#revisits.add(reader)
    this.#run()
  }

  awaitReply(watch: PendingReply): void {
    const policy = this.#policy
    if (policy.kind === 'park') return
    if (policy.kind === 'adaptive') {
      if (!watch.dialled) return
      if (watch.misses >= MISSES_BEFORE_REST && ++watch.skipped % PROBE_EVERY !== 0) return
    }
    // What may not keep the process cannot keep the event loop turning either: see #nextTurn().
    if (!this.#isReferenced()) return
    const now = performance.now()
    if (watch.state === 'idle') watch.sentAt = now
    if (policy.kind === 'adaptive' && !this.#chooser.spins) {
      if (watch.state === 'idle') watch.state = 'sleeping'
      return
    }
    this.#spinUntil = now + (policy.kind === 'fixed' ? policy.ms : ADAPTIVE_SPIN_MS)
    if (watch.state !== 'spinning') {
      watch.state = 'spinning'
      this.#spinning.add(watch)
    }
    this.#run()
  }

  /** The reply has come: stop spinning unless another one is awaited. A fixed spin goes on until its time is over. */
  replied(watch: PendingReply): void {
    watch.misses = 0
    if (this.#policy.kind === 'fixed') return
    const spun = watch.state === 'spinning'
    watch.state = 'idle'
    if (spun) this.#spinning.delete(watch)
    this.#chooser.record(spun, performance.now() - watch.sentAt)
    this.#keepShardsAwake(this.#chooser.shardsStayAwake)
  }

  #flushAll = (): void => {
    const flushes = this.#flushes
    this.#flushes = []
    this.#flushing = false
    for (const flushable of flushes) flushable.flush()
  }

  #run(): void {
    if (this.#running) return
    this.#running = true
    for (const source of this.#sources) source.listener.unpark()
    this.#nextTurn()
  }

  #nextTurn(): void {
    if (this.#isReferenced()) setImmediate(this.#turn)
    // Not an unref'd immediate: that does not keep the event loop from falling asleep where something else holds the
    // process, and while we run no shard wakes it. An unref'd timer does.
    else setTimeout(this.#turn, UNREFERENCED_TURN_MS).unref()
  }

  #turn = (): void => {
    // Whatever a handler throws, the loop goes on: a doorbell that thinks it is running hears nothing else.
    let goesOn = true
    try {
      this.#look()
      this.#endSpinIfOver()
      goesOn = this.#mustRun()
    } finally {
      if (goesOn) this.#nextTurn()
    }
    if (goesOn) return
    let allParked = true
    for (const source of this.#sources) if (!source.listener.park()) allParked = false
    if (allParked) {
      this.#running = false
      return
    }
    for (const source of this.#sources) source.listener.unpark()
    this.#nextTurn()
  }

  /** Delivers what is there, then sends what was answered to it, before it is decided whether to park. */
  #look(only?: BellSource): void {
    this.#inTurn = true
    try {
      if (only !== undefined) {
        only.listener.take(only.visit)
        return
      }
      const readers = this.#revisits
      if (readers.size > 0) {
        this.#revisits = new Set()
        let failure: { readonly error: unknown } | undefined
        for (const reader of readers) {
          try {
            if (reader.onNotify()) this.#revisits.add(reader)
          } catch (error) {
            failure ??= { error }
          }
        }
        if (failure !== undefined) throw failure.error
      }
      for (const source of this.#sources) source.listener.take(source.visit)
    } finally {
      this.#inTurn = false
      if (this.#flushes.length > 0) this.#flushAll()
    }
  }

  #mustRun(): boolean {
    return this.#revisits.size > 0 || this.#spinning.size > 0
  }

  #endSpinIfOver(): void {
    if (this.#spinning.size === 0 || performance.now() < this.#spinUntil) return
    for (const watch of this.#spinning) {
      watch.state = 'idle'
      watch.misses++
    }
    this.#spinning.clear()
    // Until a reply comes: nobody makes one round trip after the other just now.
    this.#keepShardsAwake(false)
  }

  #keepShardsAwake(on: boolean): void {
    if (this.#shardsStayAwake === on) return
    this.#shardsStayAwake = on
    for (const source of this.#sources) source.stayAwake(on)
  }
}
