/** The receiving half of a connection, over a lane whose words the test moves. */
import type { ConnectionSettings } from '../../engine/connection/connection-settings.js'
import { Receiver } from '../../engine/connection/receiver.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { publishBytes } from './lane-fixture.js'
import { LoneLane } from './lone-connection.js'

/** What it ends with once a subscriber has failed. */
export const reset = new TransportError('ERR_RESET', 'cut')

/** A receiving half, and what it has told its connection. */
export class ReceiverRig extends LoneLane {
  readonly told: string[] = []
  readonly receiver: Receiver
  awaitsConclusion = false
  awaitsEnd = false

  constructor(options: Partial<ConnectionSettings> = {}, ringBytes?: number) {
    super(options, ringBytes)
    this.receiver = new Receiver(this.createLane(), {
      onEnd: () => this.told.push('end'),
      awaitsConclusion: () => this.awaitsConclusion,
      onExhausted: () => this.told.push('exhausted'),
      onFailure: (error) => this.told.push(error.code),
      isOfTheEnd: () => false,
      onHandlerFailed: (cause, isLate) => {
        this.told.push(`${(cause as Error).message}, ${isLate ? 'late' : 'in time'}`)
        return reset
      },
      onStrayFailure: () => this.told.push('stray'),
      awaitsEnd: () => this.awaitsEnd,
    })
  }

  /** The peer says this, and main hears all of it. */
  say(bytes: Uint8Array): void {
    publishBytes(this.producer, bytes)
    while (this.receiver.onNotify());
  }
}
