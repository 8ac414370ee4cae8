/** The shard's end of what carries descriptors between main and this shard. */
import { DescriptorChannel } from '../engine/internals/descriptor-channel.js'
import type { SocketHandle } from '../engine/internals/socket-handle.js'
import type { DescriptorSource } from './shard-transport.js'

export class ShardDescriptors implements DescriptorSource {
  #channel: DescriptorChannel | undefined
  /** Called when what was sent over the last channel is received by now, or lost. */
  onReplaced = (): void => undefined

  /** Rejects if main does not accept there. */
  async open(path: string): Promise<void> {
    if (this.#channel !== undefined) {
      this.#channel.close()
      this.onReplaced()
    }
    this.#channel = undefined
    this.#channel = await DescriptorChannel.connect(path)
  }

  /** What main has sent with this ticket, the caller's own. Undefined: it was lost on its way. */
  receive(ticket: number): Promise<SocketHandle | undefined> {
    return this.#channel?.receive(ticket) ?? Promise.resolve(undefined)
  }

  /** Sends main a duplicate. False: it did not leave. */
  send(ticket: number, handle: SocketHandle): Promise<boolean> {
    return this.#channel?.send(ticket, handle) ?? Promise.resolve(false)
  }

  close(): void {
    this.#channel?.close()
  }
}
