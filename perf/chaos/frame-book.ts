/**
 * The record of one reconnecting connection: compares every frame that it took with the loss reports and with what the
 * peer has recorded.
 *
 * Frames are numbered in the order in which `send()` took them. Each connection carries a stretch of them. When it is
 * lost, the report says how many of the stretch were handed over and which are unconfirmed. The next stretch begins
 * there, since unsent frames go first.
 */
import type { LossReport } from '../../api/index.js'
import { openFrame } from './campaign-frames.js'
import type { RecordEntry } from './record.js'

/** The loss report on the frames of one connection. */
export type Loss = Pick<LossReport, 'handedOver' | 'unconfirmed' | 'retained' | 'resent' | 'dropped' | 'isFinal'>

export interface FrameCounts {
  sent: number
  echoed: number
  /** Handed over on a connection that was lost, without an echo. */
  handedOver: number
  unconfirmed: number
  resent: number
  dropped: number
  wrong: number
}

export const NO_FRAMES: Readonly<FrameCounts> = {
  sent: 0,
  echoed: 0,
  handedOver: 0,
  unconfirmed: 0,
  resent: 0,
  dropped: 0,
  wrong: 0,
}

/** The frames of one connection. */
interface Stretch {
  readonly first: number
  /** Behind the last one, once the connection is lost. */
  end: number | undefined
  /** The next one to be echoed. */
  next: number
  /** The number that the peer gives this connection; undefined: no frame has come back yet. */
  connection: number | undefined
  /** The reconnecting connection ended with it. */
  isFinal: boolean
}

export class FrameBook {
  readonly counts: FrameCounts = { ...NO_FRAMES }
  readonly complaints: string[] = []
  readonly #name: string
  readonly #stretches: Stretch[] = [{ first: 0, end: undefined, next: 0, connection: undefined, isFinal: false }]
  /** Numbers of dropped frames: the first, and the one after the last. */
  readonly #dropped: (readonly [number, number])[] = []
  /** The number of the next frame. */
  next = 0
  losses = 0

  constructor(name: string) {
    this.#name = name
  }

  /** Frames without an outcome yet. */
  get outstanding(): number {
    return this.next - this.#current.next
  }

  take(): number {
    this.counts.sent++
    return this.next++
  }

  /** The last frame was not taken after all. */
  putBack(): void {
    this.counts.sent--
    this.next--
  }

  onEcho(connection: number, number: number): void {
    const current = this.#current
    const last = this.#stretches.at(-2)
    const isLate = last?.connection === connection && connection !== current.connection
    const stretch = isLate ? last : current
    // The last report does not wait until the frames before it were read.
    if (isLate && !last.isFinal)
      this.#complain(`frame ${String(number)} came after the report that its connection was lost`)
    stretch.connection ??= connection
    if (stretch.connection !== connection)
      this.#complain(
        `frame ${String(number)} came over connection ${String(connection)} instead of ${String(stretch.connection)}`,
      )
    if (number !== stretch.next)
      this.#complain(`frame ${String(number)} came back when ${String(stretch.next)} was due`)
    else if (number >= this.next) this.#complain(`frame ${String(number)} came back and was never sent`)
    else if (stretch.end !== undefined && number >= stretch.end)
      this.#complain(`frame ${String(number)} came back although it was reported unsent`)
    else if (stretch.end !== undefined) this.counts.handedOver--
    stretch.next = number + 1
    this.counts.echoed++
  }

  onLoss(loss: Loss): void {
    this.losses++
    const stretch = this.#current
    const firstUnconfirmed = stretch.first + loss.handedOver
    const end = firstUnconfirmed + loss.unconfirmed.length
    const unsent = loss.resent + loss.dropped.length
    if (loss.isFinal ? end + unsent !== this.next : end + unsent > this.next)
      this.#complain(
        `frames ${String(stretch.first)} to ${String(this.next - 1)} were open, and those up to ${String(end + unsent - 1)} were reported`,
      )
    if (stretch.next > end)
      this.#complain(
        `frames up to ${String(stretch.next - 1)} came back, but only those up to ${String(end - 1)} were reported as having left`,
      )
    this.#expect(loss.retained, firstUnconfirmed - loss.retained.length, 'handed over')
    this.#expect(loss.unconfirmed, firstUnconfirmed, 'unconfirmed')
    this.#expect(loss.dropped, end + loss.resent, 'dropped')
    stretch.end = end
    stretch.isFinal = loss.isFinal
    this.counts.handedOver += Math.max(0, firstUnconfirmed - stretch.next)
    this.counts.unconfirmed += loss.unconfirmed.length
    this.counts.resent += loss.resent
    this.counts.dropped += loss.dropped.length
    // Frames in between are dropped, and those that go out again come first.
    const first = end + loss.dropped.length
    if (first > end) this.#dropped.push([end, first])
    this.#stretches.push({ first, end: undefined, next: first, connection: undefined, isFinal: false })
  }

  /** Bytes came that are no frame of ours. */
  onWrong(what: string): void {
    this.#complain(what)
  }

  /** Everything has ended: what the peer has recorded must match the reports exactly. */
  close(record: readonly RecordEntry[]): void {
    const at = new Map<number, number>()
    for (const { connection, number } of record) {
      const before = at.get(number)
      if (number >= this.next) this.#complain(`the peer recorded a frame that was never sent`)
      else if (before !== undefined)
        this.#complain(
          `the peer recorded frame ${String(number)} on connections ${String(before)} and ${String(connection)}`,
        )
      at.set(number, connection)
    }
    this.#checkOrder(record)
    for (const stretch of this.#stretches) this.#checkStretch(stretch, at)
    for (const [first, end] of this.#dropped) {
      for (let number = first; number < end; number++)
        if (at.has(number)) this.#complain(`frame ${String(number)} arrived although it was reported dropped`)
    }
    if (this.outstanding > 0)
      this.#complain(`${String(this.outstanding)} frames have neither come back nor been reported`)
  }

  /** On each connection frames arrive in order and without a gap. A later connection carries later frames. */
  #checkOrder(record: readonly RecordEntry[]): void {
    const runs = new Map<number, { readonly first: number; last: number }>()
    for (const { connection, number } of record) {
      const run = runs.get(connection)
      if (run === undefined) runs.set(connection, { first: number, last: number })
      else {
        if (number !== run.last + 1)
          this.#complain(`connection ${String(connection)} brought frame ${String(number)} after ${String(run.last)}`)
        run.last = number
      }
    }
    const firsts = new Set(this.#stretches.map(({ first }) => first))
    let before = -1
    for (const [connection, { first, last }] of [...runs].sort(([a], [b]) => a - b)) {
      if (first <= before)
        this.#complain(`connection ${String(connection)} began with frame ${String(first)}, behind ${String(before)}`)
      if (!firsts.has(first))
        this.#complain(`connection ${String(connection)} began with frame ${String(first)}, where none was to begin`)
      before = last
    }
  }

  #checkStretch({ first, end = this.next, next }: Stretch, at: ReadonlyMap<number, number>): void {
    const connection = at.get(first)
    let arrived = first
    while (arrived < end && at.get(arrived) === connection && at.has(arrived)) arrived++
    for (let number = arrived; number < end; number++)
      if (at.has(number))
        this.#complain(`frame ${String(number)} arrived although one before it on its connection did not`)
    if (arrived < next) this.#complain(`frames ${String(arrived)} to ${String(next - 1)} came back unrecorded`)
  }

  #expect(frames: readonly Buffer[], first: number, as: string): void {
    frames.forEach((frame, index) => {
      const opened = openFrame(frame)
      if (opened?.number !== first + index)
        this.#complain(
          `frame ${String(first + index)} was reported ${as} with the bytes of ${opened === undefined ? 'none' : String(opened.number)}`,
        )
    })
  }

  #complain(what: string): void {
    this.counts.wrong++
    if (this.complaints.length < 20) this.complaints.push(`${this.#name}: ${what}`)
  }

  get #current(): Stretch {
    const stretch = this.#stretches.at(-1)
    if (stretch === undefined) throw new Error('there is always a stretch')
    return stretch
  }
}
