/**
 * Main's side of all bells: the only place where main waits and is woken.
 *
 * Parked, the event loop sleeps and a shard's message wakes it. Running, a `setImmediate` loop looks at the bells in
 * each turn, so that shards need not wake it; the event loop stays live. It runs while a connection has more to do than
 * one turn's budget, and while it spins for a reply. Spinning saves wake-ups, which are most of a round trip on an idle
 * machine (25 us each on a virtual CPU); when it does is for the strategy to say: docs/decisions/wake-policy.md.
 */
import type { BellListener } from '../protocol/bell.js'
import type { Flushable, LaneDoorbell, NotifyHandler, PendingReply } from '../connection/lane-host.js'

/** How main waits for a reply: asleep, or awake for a while. */
export interface WakeStrategy {
  /** A flush has gone out: whether its reply is waited for, and reported. */
  awaits(reply: PendingReply): boolean
  /** How long main stays awake for a reply from now on, in milliseconds; undefined: it sleeps. */
  readonly awakeMs: number | undefined
  /** Whether main may sleep once the reply is there. */
  readonly endsWithReply: boolean
  /** A reply that was waited for has come `ms` after its flush. */
  onReply(wasAwake: boolean, ms: number): void
  /** Whether shards stay awake for main's next flush. */
  readonly shardsStayAwake: boolean
}

/** From turn to turn when no connection keeps the process alive; no timer is shorter. */
const UNREFERENCED_TURN_MS = 1

/** So many flushes of one turn cost less one by one than the shard's wake-up that serves all of them. */
const MOST_ALONE = 2

/** The bell of one shard. */
export interface BellSource {
  readonly listener: BellListener
  /** Handles one budget of what has come for a lane, and asks for a revisit if there is more. */
  readonly visit: (laneId: number) => void
  /** Whether the shard is to look at its bell by itself for a moment, instead of being woken each time. */
  readonly stayAwake: (on: boolean) => void
}

export class Doorbell implements LaneDoorbell {
  readonly #strategy: WakeStrategy
  readonly #isReferenced: () => boolean
  readonly #sources = new Set<BellSource>()
  #running = false
  #flushing = false
  #inTurn = false
  #flushes: Flushable[] = []
  /** A set, so that a connection gets one budget a turn, however often it asks. */
  #revisits = new Set<NotifyHandler>()
  readonly #spinning = new Set<PendingReply>()
  #shardsStayAwake = false
  #spinUntil = 0

  /** `isReferenced`: whether anything keeps the process alive. */
  constructor(strategy: WakeStrategy, isReferenced: () => boolean) {
    this.#strategy = strategy
    this.#isReferenced = isReferenced
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

  /** A shard has woken main. */
  onWake(source: BellSource): void {
    // A running loop looks by itself in this very turn.
    if (this.#running || !this.#sources.has(source)) return
    this.#look(source)
    if (!this.#mustRun() && source.listener.park()) return
    this.#run()
  }

  flushSoon(flushable: Flushable): void {
    this.#flushes.push(flushable)
    // At the end of a turn of this loop, or else in a microtask, after what the host is doing.
    if (this.#flushing || this.#inTurn) return
    this.#flushing = true
    queueMicrotask(this.#flushAll)
  }

  revisit(reader: NotifyHandler): void {
    this.#revisits.add(reader)
    this.#run()
  }

  awaitReply(reply: PendingReply): void {
    // What may not keep the process alive cannot keep the event loop turning either: see #nextTurn().
    if (!this.#strategy.awaits(reply) || !this.#isReferenced()) return
    const now = performance.now()
    const ms = this.#strategy.awakeMs
    if (reply.state === 'idle') reply.sentAt = now
    if (ms === undefined) {
      if (reply.state === 'idle') reply.state = 'sleeping'
      return
    }
    this.#spinUntil = now + ms
    if (reply.state !== 'spinning') {
      reply.state = 'spinning'
      this.#spinning.add(reply)
    }
    this.#run()
  }

  replied(reply: PendingReply): void {
    reply.misses = 0
    if (!this.#strategy.endsWithReply) return
    const spun = reply.state === 'spinning'
    reply.state = 'idle'
    if (spun) this.#spinning.delete(reply)
    this.#strategy.onReply(spun, performance.now() - reply.sentAt)
    this.#keepShardsAwake(this.#strategy.shardsStayAwake)
  }

  #flushAll = (): void => {
    const flushes = this.#flushes
    this.#flushes = []
    this.#flushing = false
    const isAlone = flushes.length <= MOST_ALONE
    for (const flushable of flushes) flushable.flush(isAlone)
  }

  #run(): void {
    if (this.#running) return
    this.#running = true
    for (const source of this.#sources) source.listener.unpark()
    this.#nextTurn()
  }

  #nextTurn(): void {
    if (this.#isReferenced()) setImmediate(this.#turn)
    // Not an unref'd immediate: the event loop would fall asleep with it, and no shard wakes main while this loop runs.
    else setTimeout(this.#turn, UNREFERENCED_TURN_MS).unref()
  }

  #turn = (): void => {
    // The loop goes on if a handler throws: a doorbell that takes itself for running is not woken by anything else.
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

  /** Delivers what is there, then flushes what was answered to it: both before it is decided whether to park. */
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
    for (const reply of this.#spinning) {
      reply.state = 'idle'
      reply.misses++
    }
    this.#spinning.clear()
    // Until a reply comes: round trips do not follow each other just now.
    this.#keepShardsAwake(false)
  }

  #keepShardsAwake(on: boolean): void {
    if (this.#shardsStayAwake === on) return
    this.#shardsStayAwake = on
    for (const source of this.#sources) source.stayAwake(on)
  }
}
