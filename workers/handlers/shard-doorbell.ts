/**
 * The bell of connections whose lanes have both sides on this thread: pumps tell them to look, and they flush what they
 * have written. Nobody has to be woken; what is told is done in a microtask, once the caller is through, since a pump
 * may be told of something by the connection that it tells.
 *
 * Two such connections can be each other's peers, over memory, and go on without the event loop ever turning. So after
 * a row of microtasks the rest waits for the next turn.
 */
import type { Flushable, LaneDoorbell, NotifyHandler } from '../../engine/connection/lane-host.js'
import type { LaneBell } from '../lanes/shard-lane.js'

const MOST_IN_A_ROW = 64

/** What is told of the work that is done for connections. */
export interface WorkMeter {
  /** Before the first of it in this turn of the event loop. */
  begin(): void
  /** Nothing is left to do in this turn, also in microtasks. */
  end(): void
}

export class ShardDoorbell implements LaneDoorbell, LaneBell {
  readonly #visit: (laneId: number) => NotifyHandler | undefined
  readonly #meter: WorkMeter
  #notified = new Set<number>()
  #flushes: Flushable[] = []
  /** A set, so that a connection gets one budget a turn, however often it asks. */
  #revisits = new Set<NotifyHandler>()
  #isDue = false
  #isVisiting = false
  #isTurnDue = false
  #isWorking = false
  #inARow = 0

  /** `visit`: who looks at a lane; undefined: nobody does any more. */
  constructor(visit: (laneId: number) => NotifyHandler | undefined, meter: WorkMeter) {
    this.#visit = visit
    this.#meter = meter
  }

  notify(laneId: number): void {
    this.#notified.add(laneId)
    this.#lookSoon()
  }

  notifySoon(laneId: number): void {
    this.notify(laneId)
  }

  flushSoon(flushable: Flushable): void {
    this.#flushes.push(flushable)
    // At the end of the visit, or else in a microtask, after what the host is doing.
    if (!this.#isVisiting) this.#lookSoon()
  }

  revisit(reader: NotifyHandler): void {
    this.#revisits.add(reader)
    this.#turnSoon()
  }

  /** Runs what the host is called with, as a part of the turn's work. */
  run(step: () => void): void {
    this.#work(step)
  }

  /** There is no thread that could stay awake for a reply. */
  awaitReply(): void {
    return undefined
  }

  replied(): void {
    return undefined
  }

  #lookSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    if (++this.#inARow > MOST_IN_A_ROW) this.#turnSoon()
    else queueMicrotask(this.#look)
  }

  #turnSoon(): void {
    if (this.#isTurnDue) return
    this.#isTurnDue = true
    setImmediate(this.#turn)
  }

  readonly #turn = (): void => {
    this.#isTurnDue = false
    this.#inARow = 0
    const readers = this.#revisits
    this.#revisits = new Set()
    this.#work(() => {
      for (const reader of readers) this.#let(reader)
      this.#visitNotified()
    })
    if (this.#revisits.size > 0) this.#turnSoon()
  }

  readonly #look = (): void => {
    // The next turn has done it.
    if (!this.#isDue) return
    this.#work(() => this.#visitNotified())
  }

  #work(step: () => void): void {
    if (!this.#isWorking) {
      this.#isWorking = true
      this.#meter.begin()
      queueMicrotask(this.#awaitEnd)
    }
    const isOutermost = !this.#isVisiting
    this.#isVisiting = true
    try {
      step()
    } finally {
      if (isOutermost) {
        this.#isVisiting = false
        this.#flush()
      }
    }
  }

  /** A tick that is asked for in a microtask comes after all of them: what handlers do after an `await` counts. */
  readonly #awaitEnd = (): void => process.nextTick(this.#atEnd)

  readonly #atEnd = (): void => {
    this.#isWorking = false
    this.#inARow = 0
    this.#meter.end()
  }

  #visitNotified(): void {
    this.#isDue = false
    const notified = this.#notified
    if (notified.size === 0) return
    this.#notified = new Set()
    for (const laneId of notified) {
      const reader = this.#visit(laneId)
      if (reader !== undefined) this.#let(reader)
    }
  }

  #let(reader: NotifyHandler): void {
    if (!reader.onNotify()) return
    this.#revisits.add(reader)
    this.#turnSoon()
  }

  #flush(): void {
    const flushes = this.#flushes
    if (flushes.length === 0) return
    this.#flushes = []
    const isAlone = false
    for (const flushable of flushes) flushable.flush(isAlone)
  }
}
