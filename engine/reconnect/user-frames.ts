/** Tells the user's frames from those that went out beside them: greetings, which came first, and pings. */
import type { DeliveryReport } from '../common/delivery-report.js'

/** Places of pings that are remembered: only the last ones can be among what did not leave or was retained. */
const MOST_PLACES = 256

export class UserFrames {
  readonly #greetings: number
  #pings = 0
  #places: number[] = []

  /** `greetings`: how many frames were sent on the connection before it was the user's. */
  constructor(greetings: number) {
    this.#greetings = greetings
  }

  /** The frame that is sent next, after so many, is a ping. */
  pingAt(place: number): void {
    this.#pings++
    this.#places.push(place)
    if (this.#places.length > MOST_PLACES) this.#places.shift()
  }

  /** A report without the frames that were not the user's. */
  of(report: DeliveryReport): DeliveryReport {
    const { handedOver, retained, unconfirmed, unsent, lost } = report
    const place = handedOver + lost
    const others = Math.min(handedOver, this.#greetings) + this.#pingsBefore(handedOver)
    return {
      handedOver: handedOver - others,
      retained: this.#filter(retained, handedOver - retained.length),
      unconfirmed: this.#filter(unconfirmed, place),
      unsent: this.#filter(unsent, place + unconfirmed.length),
      // They come before all that is there.
      lost: lost - this.#ownWithin(handedOver, place),
    }
  }

  #ownWithin(from: number, to: number): number {
    const greetings = Math.max(0, Math.min(to, this.#greetings) - from)
    return greetings + this.#places.filter((place) => place >= from && place < to).length
  }

  #pingsBefore(place: number): number {
    return this.#pings - this.#places.filter((other) => other >= place).length
  }

  #filter(frames: readonly Buffer[], first: number): readonly Buffer[] {
    const isOwn = (i: number): boolean => first + i >= this.#greetings && !this.#places.includes(first + i)
    return frames.every((_, i) => isOwn(i)) ? frames : frames.filter((_, i) => isOwn(i))
  }
}
