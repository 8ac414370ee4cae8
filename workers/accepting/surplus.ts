/**
 * Connections that this shard has accepted and that another one has more room for. Main is sent a duplicate of each,
 * gives it to that shard, and says what came of it. Until then this shard holds its own, from which nothing was read.
 */
import { MOST_TICKETS, MOST_TICKETS_OF_MAIN } from '../../engine/internals/descriptor-channel.js'
import type { SurplusTaker } from '../../engine/protocol/control.js'
import type { ShardDescriptors } from '../descriptors.js'
import type { AcceptedPeer } from '../shard-transport.js'
import type { OwnLoad } from '../own-load.js'

/** Each is held until main has answered, with up to three descriptors. Fewer would not even a burst out. */
const MOST_OFFERED = 256
/** If the others are as busy, so many are kept before the next is offered, at most. */
const MOST_SKIPPED = 64

interface OfferTerms {
  /** Offers that may be open. */
  readonly most: number
  /** A handler module serves it, in whichever shard gets it. */
  readonly isServed: boolean
}

interface Offer {
  readonly listenerId: number
  readonly peer: AcceptedPeer
  readonly keep: () => void
}

export class Surplus {
  readonly #load: Pick<OwnLoad, 'wouldBeAhead' | 'offered' | 'answered'>
  readonly #descriptors: Pick<ShardDescriptors, 'send'>
  readonly #main: SurplusTaker
  readonly #offers = new Map<number, Offer>()
  /** Sent, and main is not told yet, by listener. */
  #sent = new Map<number, number[]>()
  #lastTicket = MOST_TICKETS
  /** How many are kept after one that came back, and how many of these are still to come. */
  #pause = 0
  #toSkip = 0

  constructor(
    load: Pick<OwnLoad, 'wouldBeAhead' | 'offered' | 'answered'>,
    descriptors: Pick<ShardDescriptors, 'send' | 'onReplaced'>,
    main: SurplusTaker,
  ) {
    this.#load = load
    this.#descriptors = descriptors
    this.#main = main
    // Main may never have got what was sent. Whoever has it goes on with it; if nobody has, the peer sees the end.
    descriptors.onReplaced = () => this.#closeAll(() => true)
  }

  /** False: the connection stays. `keep` is called if it stays after all. */
  offer(listenerId: number, peer: AcceptedPeer, { most, isServed }: OfferTerms, keep: () => void): boolean {
    const { handle } = peer
    if (handle === undefined || !this.#load.wouldBeAhead(isServed)) return false
    if (this.#offers.size >= Math.min(most, MOST_OFFERED)) return false
    if (this.#toSkip > 0) {
      this.#toSkip--
      return false
    }
    const ticket = this.#newTicket()
    this.#offers.set(ticket, { listenerId, peer, keep })
    this.#load.offered()
    void this.#descriptors.send(ticket, handle).then((hasLeft) => {
      if (hasLeft) this.#tellSoon(listenerId, ticket)
      else this.#answer([ticket], [ticket])
    })
    return true
  }

  /** The listener is closed, and what it has accepted. */
  closeAllOf(listenerId: number): void {
    this.#closeAll((offer) => offer.listenerId === listenerId)
  }

  #tellSoon(listenerId: number, ticket: number): void {
    if (this.#sent.size === 0) setImmediate(this.#tell)
    const tickets = this.#sent.get(listenerId)
    if (tickets === undefined) this.#sent.set(listenerId, [ticket])
    else tickets.push(ticket)
  }

  readonly #tell = (): void => {
    const sent = this.#sent
    this.#sent = new Map()
    for (const [listenerId, tickets] of sent)
      void this.#main.handOn(listenerId, tickets).then((kept) => this.#answer(tickets, kept))
  }

  #answer(tickets: readonly number[], kept: readonly number[]): void {
    if (kept.length < tickets.length) this.#pause = 0
    else this.#pause = Math.min(MOST_SKIPPED, Math.max(1, this.#pause * 2))
    this.#toSkip = this.#pause
    for (const ticket of tickets) {
      const offer = this.#offers.get(ticket)
      if (offer === undefined) continue
      this.#forget(ticket)
      if (kept.includes(ticket)) offer.keep()
      else offer.peer.reject()
    }
  }

  #closeAll(which: (offer: Offer) => boolean): void {
    for (const [ticket, offer] of this.#offers) {
      if (!which(offer)) continue
      this.#forget(ticket)
      offer.peer.reject()
    }
  }

  #forget(ticket: number): void {
    this.#offers.delete(ticket)
    this.#load.answered()
  }

  #newTicket(): number {
    this.#lastTicket = this.#lastTicket >= MOST_TICKETS ? MOST_TICKETS_OF_MAIN + 1 : this.#lastTicket + 1
    return this.#lastTicket
  }
}
