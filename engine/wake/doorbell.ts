/**
 * Main's side of all bells: the only place where main waits and is woken.
 *
 * Parked, the event loop sleeps and a shard's message wakes it. Running, a `setImmediate` loop looks at the bells in
 * each turn, so that shards need not wake it; the event loop stays live. It runs while a connection has more to do than
 * one turn's budget, and while it stays awake for a reply; whether it does is for the wake strategy to say.
 */
import type { BellListener } from '../protocol/bell.js'
import type { Flushable, LaneDoorbell, NotifyHandler, PendingReply } from '../connection/lane-host.js'
import type { WakeStrategy } from './wake-strategy.js'

/** From turn to turn when no connection keeps the process alive; no timer is shorter. */
const UNREFERENCED_TURN_MS = 1

/** So many flushes of one turn cost less one by one than the shard's wake-up that serves all of them. */
const MOST_ALONE = 2

/** The bell of one shard. */
export interface BellSource {
  readonly listener: Pick<BellListener, 'take' | 'park' | 'unpark'>
  /** Handles one budget of what has come for a lane, and asks for a revisit if there is more. */
  readonly visit: (laneId: number) => void
}

export class Doorbell implements LaneDoorbell {
  readonly #strategy: WakeStrategy
  readonly #isReferenced: () => boolean
  readonly #now: () => number
  readonly #onLook: (() => void) | undefined
  readonly #sources = new Set<BellSource>()
  #running = false
  #flushing = false
  #inTurn = false
  #flushes: Flushable[] = []
  /** A set, so that a connection gets one budget a turn, however often it asks. */
  #revisits = new Set<NotifyHandler>()
  /** The replies that main stays awake for, in the order in which it gives them up. */
  readonly #awaited = new Set<PendingReply>()

  /**
   * `isReferenced`: whether anything keeps the process alive. `now`: milliseconds. `onLook`: is called each time before
   * main looks at its bells.
   */
  constructor(strategy: WakeStrategy, isReferenced: () => boolean, now: () => number, onLook?: () => void) {
    this.#strategy = strategy
    this.#isReferenced = isReferenced
    this.#now = now
    this.#onLook = onLook
  }

  /** Whether main goes on after this turn instead of going to sleep. */
  get isRunning(): boolean {
    return this.#running
  }

  add(source: BellSource): void {
    this.#sources.add(source)
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
    // Before the clock is read: most flushes of a server are of no interest.
    if (!this.#strategy.wants(reply)) return
    const now = this.#now()
    const ms = this.#strategy.onSend(reply, now)
    if (reply.sentAt === 0) reply.sentAt = now
    // What may not keep the process alive cannot keep the event loop turning either: see #nextTurn().
    if (ms === 0 || !this.#isReferenced()) return
    // Behind the others, whose time ends before.
    if (reply.isAwaited) this.#awaited.delete(reply)
    reply.isAwaited = true
    reply.awaitedUntil = now + ms
    this.#awaited.add(reply)
    this.#run()
  }

  replied(reply: PendingReply): void {
    const now = this.#now()
    const ms = now - reply.sentAt
    reply.sentAt = 0
    this.#strategy.onReply(reply, ms, now)
    if (reply.isAwaited && this.#strategy.endsWithReply) this.#forget(reply)
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
      this.#giveUpLate()
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
    if (this.#onLook !== undefined) this.#onLook()
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
    return this.#revisits.size > 0 || this.#awaited.size > 0
  }

  /** Gives up the replies whose time is over. */
  #giveUpLate(): void {
    if (this.#awaited.size === 0) return
    const now = this.#now()
    for (const reply of this.#awaited) {
      if (reply.awaitedUntil > now) return
      this.#forget(reply)
      this.#strategy.onMiss(reply)
    }
  }

  #forget(reply: PendingReply): void {
    reply.isAwaited = false
    this.#awaited.delete(reply)
  }
}
