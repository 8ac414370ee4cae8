/**
 * Main's end of what carries descriptors between main and one shard. It is opened when it is first needed, and again
 * if that failed: the system may have had no descriptor left for it.
 */
import { DescriptorChannel } from '../internals/descriptor-channel.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import { deserializeError } from '../protocol/errors.js'
import { openOneShotListener } from '../sockets/one-shot-listener.js'
import type { ControlClient } from './control-client.js'

export class DescriptorExchange {
  readonly #control: Pick<ControlClient, 'call'>
  #channel: Promise<DescriptorChannel> | undefined

  constructor(control: Pick<ControlClient, 'call'>) {
    this.#control = control
  }

  /**
   * Gives the shard a duplicate; resolves with its ticket, and what is told next must reach the shard.
   * @throws What the system or the shard's loss prevents it by.
   */
  async give(handle: SocketHandle): Promise<number> {
    const channel = await this.#open()
    const ticket = channel.newTicket()
    if (!(await channel.send(ticket, handle))) throw new Error('the descriptor could not be sent')
    return ticket
  }

  /** A duplicate of the socket that a lane's bytes leave by, the caller's own. Undefined: there is none to be had. */
  async take(laneId: number): Promise<SocketHandle | undefined> {
    let taken: Promise<SocketHandle | undefined> | undefined
    try {
      const channel = await this.#open()
      const ticket = channel.newTicket()
      taken = channel.receive(ticket)
      if (!(await this.#control.call('duplicateSocket', laneId, ticket))) channel.cancel(ticket)
      return await taken
    } catch {
      // A shard that dies before it says so may have sent it all the same.
      void taken?.then((handle) => handle?.close())
      return undefined
    }
  }

  /** The shard is lost. */
  close(): void {
    const closed = (channel: DescriptorChannel): void => channel.close()
    this.#channel?.then(closed, () => undefined)
  }

  #open(): Promise<DescriptorChannel> {
    if (this.#channel !== undefined) return this.#channel
    const opening = this.#connect()
    this.#channel = opening
    const again = (): void => {
      this.#channel = undefined
    }
    opening.then((channel) => channel.whenClosed(again), again)
    return opening
  }

  async #connect(): Promise<DescriptorChannel> {
    let channel: DescriptorChannel | undefined
    const listener = openOneShotListener(
      (socket) => {
        channel = DescriptorChannel.accept(socket)
      },
      () => undefined,
    )
    try {
      // The shard answers once it has heard from this side, or that this side is not there.
      const outcome = await this.#control.call('openDescriptors', listener.path)
      if (!outcome.ok) throw deserializeError(outcome.error)
      if (channel === undefined) throw new Error('this version of Node has no descriptors to pass between threads')
      return channel
    } catch (error) {
      channel?.close()
      throw error
    } finally {
      listener.close()
    }
  }
}
