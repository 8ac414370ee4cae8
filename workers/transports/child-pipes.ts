/** A child's stdin and stdout on Windows: two named pipes that are listened on until main opens them. */
import type net from 'node:net'
import type { TargetOf } from '../../engine/protocol/target.js'
import type { Dialler } from '../shard-transport.js'
import type { Wire, WireOwner } from '../wire.js'
import { GuardedPipe } from './guarded-pipe.js'
import { dialBoth, PairWire } from './pair-wire.js'
import { readInto } from './socket-wire.js'

/** A writer reads nothing behind the token, but needs a place to read to. */
const nothing: net.OnReadOpts = { buffer: new Uint8Array(1), callback: () => false }

export const childPipesTransport: Dialler<TargetOf<'child-pipes'>> = {
  dial(target, owner) {
    const stdin = new GuardedPipe(target.stdin, target.token, nothing)
    const stdout = new GuardedPipe(target.stdout, target.token, readInto(owner))
    const abort = (): void => {
      stdin.close()
      stdout.close()
    }
    return dialBoth(stdin.open, stdout.open, abort, () => {
      return new ArrivingWire(Promise.all([stdin.arrival, stdout.arrival]), abort, owner)
    })
  },
}

/** The wire over two pipes that main has yet to open: calls made before are made again then. */
class ArrivingWire implements Wire {
  readonly #abort: () => void
  readonly #owner: WireOwner
  #state:
    | { readonly kind: 'waiting'; readonly calls: ((wire: Wire) => void)[] }
    | { readonly kind: 'there'; readonly wire: Wire }
    | { readonly kind: 'closed' } = { kind: 'waiting', calls: [] }

  constructor(arrivals: Promise<[net.Socket, net.Socket]>, abort: () => void, owner: WireOwner) {
    this.#abort = abort
    this.#owner = owner
    arrivals.then(
      ([writer, reader]) => {
        if (this.#state.kind !== 'waiting') return
        const { calls } = this.#state
        const wire = new PairWire(writer, reader, owner)
        // Nothing is written there, and a pipe has no half-close: its end closes it.
        reader.once('end', () => reader.destroy())
        this.#state = { kind: 'there', wire }
        for (const call of calls) call(wire)
      },
      (error: unknown) => this.#close(error as NodeJS.ErrnoException),
    )
  }

  resume(): void {
    this.#do((wire) => wire.resume())
  }

  /** There is no descriptor where there are pipes. */
  tryWrite(): number {
    return 0
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    this.#do((wire) => wire.write(first, second))
  }

  end(): void {
    this.#do((wire) => wire.end())
  }

  destroy(): void {
    if (this.#state.kind === 'there') this.#state.wire.destroy()
    else this.#close(undefined)
  }

  #do(call: (wire: Wire) => void): void {
    if (this.#state.kind === 'there') call(this.#state.wire)
    else if (this.#state.kind === 'waiting') this.#state.calls.push(call)
  }

  #close(error: NodeJS.ErrnoException | undefined): void {
    if (this.#state.kind !== 'waiting') return
    this.#state = { kind: 'closed' }
    this.#abort()
    // Not from inside destroy(): the owner is still in the middle of its call.
    queueMicrotask(() => this.#owner.onClose(error))
  }
}
