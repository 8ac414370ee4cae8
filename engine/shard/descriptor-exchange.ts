/**
 * Main's end of what carries descriptors between main and one shard. It is opened when it is first needed, and again
 * if that failed: the system may have had no descriptor left for it.
 */
import os from 'node:os'
import { DescriptorChannel, MOST_TICKETS_OF_MAIN } from '../internals/descriptor-channel.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import { deserializeError, TransportError, type SerializedError } from '../protocol/errors.js'
import { isBoundByMain, type ListenTarget } from '../protocol/target.js'
import type { BoundSocket } from '../sockets/bound-socket.js'
import { meetingFailure, openOneShotListener } from '../sockets/one-shot-listener.js'
import type { ControlClient } from './control-client.js'

const GIVING = 'giving worker threads'

export class DescriptorExchange {
  readonly #control: Pick<ControlClient, 'call'>
  #channel: Promise<DescriptorChannel> | undefined
  #lastTicket = 0

  constructor(control: Pick<ControlClient, 'call'>) {
    this.#control = control
  }

  /**
   * Gives the shard a duplicate; resolves with its ticket, and what is told next must reach the shard.
   * @throws {TransportError} What the system or the shard's loss prevents it by.
   */
  async give({ handle, endpoint, folder }: Omit<BoundSocket, 'close'>): Promise<number> {
    let channel: DescriptorChannel
    try {
      channel = await this.#openFor(folder)
    } catch (error) {
      throw isOfShard(error) ? error : meetingFailure(error, GIVING, endpoint)
    }
    const ticket = this.#newTicket()
    if (await channel.send(ticket, handle)) return ticket
    // Rejects if the shard is lost.
    await this.#control.call('ping')
    const message = `${GIVING} ${endpoint}: the system did not take its descriptor. Retry later.`
    throw new TransportError('ERR_IO', message, { endpoint })
  }

  /** Where the shard is to listen: with the ticket of a duplicate of the socket that main holds, if it does. */
  async targetFor(target: ListenTarget, socket: BoundSocket | undefined): Promise<ListenTarget> {
    return socket === undefined || !isBoundByMain(target) ? target : { ...target, ticket: await this.give(socket) }
  }

  /** A duplicate of the socket that a lane's bytes leave by, the caller's own. Undefined: there is none to be had. */
  async take(laneId: number): Promise<SocketHandle | undefined> {
    let taken: Promise<SocketHandle | undefined> | undefined
    try {
      const channel = await this.#open(undefined)
      const ticket = this.#newTicket()
      taken = channel.receive(ticket)
      if (!(await this.#control.call('duplicateSocket', laneId, ticket))) channel.cancel(ticket)
      return await taken
    } catch {
      // A shard that dies before it says so may have sent it all the same.
      void taken?.then((handle) => handle?.close())
      return undefined
    }
  }

  /** What the shard has sent with a ticket of its own, the caller's own. Undefined: it was lost. */
  receive(ticket: number): Promise<SocketHandle | undefined> {
    const receiveFrom = (channel: DescriptorChannel): Promise<SocketHandle | undefined> => channel.receive(ticket)
    return this.#channel?.then(receiveFrom, () => undefined) ?? Promise.resolve(undefined)
  }

  /** The shard is lost. */
  close(): void {
    const closed = (channel: DescriptorChannel): void => channel.close()
    this.#channel?.then(closed, () => undefined)
  }

  /** Also for another channel than the last: nobody may take what comes with an old ticket for something else. */
  #newTicket(): number {
    this.#lastTicket = (this.#lastTicket % MOST_TICKETS_OF_MAIN) + 1
    return this.#lastTicket
  }

  /** `folder`: where both may meet too, if it cannot be in the temporary folder. */
  #openFor(folder: string | undefined): Promise<DescriptorChannel> {
    const again = (): Promise<DescriptorChannel> => this.#open(folder)
    // One that is being opened for something else may have had one folder less to meet in.
    return this.#channel?.catch(again) ?? again()
  }

  #open(folder: string | undefined): Promise<DescriptorChannel> {
    if (this.#channel !== undefined) return this.#channel
    const opening = this.#connect(folder)
    this.#channel = opening
    const again = (): void => {
      this.#channel = undefined
    }
    opening.then((channel) => channel.whenClosed(again), again)
    return opening
  }

  async #connect(folder: string | undefined): Promise<DescriptorChannel> {
    try {
      return await this.#connectIn(os.tmpdir())
    } catch (error) {
      if (folder === undefined || isOfShard(error)) throw error
      return this.#connectIn(folder).catch((other: unknown) => {
        throw isOfShard(other) ? other : error
      })
    }
  }

  async #connectIn(parent: string): Promise<DescriptorChannel> {
    let channel: DescriptorChannel | undefined
    let failure: Error | undefined
    const listener = openOneShotListener(
      (socket) => {
        channel = DescriptorChannel.accept(socket)
        if (channel !== undefined) return
        socket.destroy()
        failure = new Error('this version of Node has no descriptors to pass between threads')
      },
      (error) => {
        failure = error
      },
      parent,
    )
    try {
      // The shard answers once it has heard from this side, or that this side is not there.
      const outcome = await this.#control.call('openDescriptors', listener.path)
      if (!outcome.ok) throw failure ?? systemErrorOf(outcome.error)
      if (channel === undefined) throw new Error('nobody has connected')
      return channel
    } catch (error) {
      channel?.close()
      throw error
    } finally {
      listener.close()
    }
  }
}

/** The shard is lost, or may not open it: another folder does not help, and all has been said. */
function isOfShard(error: unknown): boolean {
  return error instanceof TransportError && error.code !== 'ERR_PATH_TOO_LONG'
}

/** What the shard's own call has failed with; a denial has more to say than its cause. */
function systemErrorOf(serialized: SerializedError): Error {
  const error = deserializeError(serialized)
  return error.code === 'ERR_IO' && error.cause instanceof Error ? error.cause : error
}
