/** Waits until handlers are done with the frames that had come by a certain moment, as an end of the engine does. */
import type { FrameConsumer } from '../common/frame-consumer.js'

interface Drain {
  /** The position behind those frames. */
  readonly upTo: number
  readonly resolve: () => void
}

export interface HandlerDrainSource {
  readonly consumer: FrameConsumer
  /** A subscriber is being given frames: it may be what asks, and is not done with those that it has. */
  readonly isServing: boolean
  /** Whether every frame before this position was taken, or none will be. */
  isPast(position: number): boolean
}

export interface HandlerDrainEvents {
  /** Whether the user of the connection waits for its end, as far as that shows: then handlers have no more to do. */
  awaitsEnd(): boolean
}

const NONE: readonly Drain[] = []

export class HandlerDrain {
  readonly #source: HandlerDrainSource
  readonly #events: HandlerDrainEvents
  #drains = NONE
  /** Handlers at work that no subscription stands for: the listener's, and those whose subscription has ended. */
  #tended = 0

  constructor(source: HandlerDrainSource, events: HandlerDrainEvents) {
    this.#source = source
    this.#events = events
  }

  /** A handler that no subscription stands for is at work until this settles. */
  tend(handler: Promise<unknown>): void {
    this.#tended++
    const done = (): void => {
      this.#tended--
      this.update(false)
    }
    handler.then(done, done)
  }

  /** Resolves once handlers are done with the frames before this position; undefined: they are. */
  wait(upTo: number): Promise<void> | undefined {
    if (this.#isDone(upTo, false)) return undefined
    return new Promise<void>((resolve) => {
      this.#drains = [...this.#drains, { upTo, resolve }]
    })
  }

  /** Something has changed. `isDry`: no whole frame is there. */
  update(isDry: boolean): void {
    if (this.#drains !== NONE) this.#resolve((upTo) => this.#isDone(upTo, isDry))
  }

  /** The next frame is asked for: its consumer is done with those before it. */
  onAsked(): void {
    if (this.#drains !== NONE) this.#resolve((upTo) => this.#source.isPast(upTo))
  }

  /** Nothing more will come: what is left, up to this position, is what everyone waits for. */
  moveTo(end: number): void {
    if (this.#drains !== NONE) this.#drains = this.#drains.map(({ resolve }) => ({ upTo: end, resolve }))
  }

  #resolve(isDone: (upTo: number) => boolean): void {
    const rest = this.#drains.filter(({ upTo, resolve }) => {
      const done = isDone(upTo)
      if (done) resolve()
      return !done
    })
    this.#drains = rest.length === 0 ? NONE : rest
  }

  #isDone(upTo: number, isDry: boolean): boolean {
    if (this.#source.isServing) return false
    switch (this.#source.consumer.state.kind) {
      case 'held':
        return false
      case 'none':
      case 'iterating':
        return this.#tended === 0 || this.#events.awaitsEnd()
      case 'waiting':
        return this.#tended === 0 || isDry || this.#source.isPast(upTo)
      case 'subscribed':
        return isDry || this.#source.isPast(upTo)
    }
  }
}
