/** Numbers of slabs, of which region ids have room for so many. */
import { TransportError } from '../protocol/errors.js'
import { MAX_SLAB_ID } from '../protocol/ring-layout.js'

export class SlabIds {
  readonly #free: number[] = []
  #known = 0

  /** @throws {TransportError} ERR_TOO_MANY_CONNECTIONS */
  take(): number {
    const id = this.tryTake()
    if (id !== undefined) return id
    const message = `an engine has at most ${String(MAX_SLAB_ID)} rings in shared memory. Use a second engine.`
    throw new TransportError('ERR_TOO_MANY_CONNECTIONS', message)
  }

  tryTake(): number | undefined {
    return this.#free.pop() ?? (this.#known < MAX_SLAB_ID ? ++this.#known : undefined)
  }

  give(id: number): void {
    this.#free.push(id)
  }
}
