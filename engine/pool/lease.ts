/** The right to use a connection of a pool, until it is given back. */
import { TransportError } from '../protocol/errors.js'
import type { Gate } from './pool-settings.js'

/** What becomes of the connection when the lease ends. */
export interface Lender<View> {
  readonly endpoint: string
  present(gate: Gate): View
  released(): void
  destroyed(reason: Error | undefined): void
}

type State =
  | { readonly kind: 'held' }
  | { readonly kind: 'ended' }
  /** The pool was closed, and took it away. */
  | { readonly kind: 'revoked'; readonly error: TransportError }

const HELD: State = { kind: 'held' }
const ENDED: State = { kind: 'ended' }

const REVOKED =
  'the pool was closed and has taken this connection away. Release leases before the pool closes, or give it more time.'
const GIVEN_BACK =
  'this lease was given back to its pool, and the connection may be on loan to another user by now. Acquire another one.'

/**
 * A connection lent by a pool. Give it back with `release()`, or with `destroy()` if it is not to be used again, as
 * after an exchange that was not finished. Disposing of a lease that is still held releases it.
 */
export interface Lease<View> extends Disposable {
  /** The connection; once the lease has ended its methods throw or reject. @throws {TransportError} ERR_LEASE_ENDED */
  readonly connection: View
  /** False once it was released, destroyed, or taken away by the end of the pool. */
  readonly isHeld: boolean

  /**
   * Gives the connection back. It is lent again unless it has ended, is too old, or has unread or unsent frames or a
   * reader; then it leaves the pool: what was sent still leaves, what was not read is dropped. Does nothing if the pool
   * was closed and took it away.
   * @throws {TransportError} ERR_LEASE_ENDED if it was given back before.
   */
  release(): void

  /**
   * Gives it back to be destroyed at once, as `connection.destroy(reason)` does, unless the closed pool took it away.
   * @throws {TransportError} ERR_LEASE_ENDED if it was given back before.
   */
  destroy(reason?: Error): void
}

export class GrantedLease<View> implements Lease<View>, Gate {
  readonly #lender: Lender<View>
  #state: State = HELD
  #view: View | undefined

  constructor(lender: Lender<View>) {
    this.#lender = lender
  }

  get connection(): View {
    this.assertHeld()
    return (this.#view ??= this.#lender.present(this))
  }

  get isHeld(): boolean {
    return this.#state === HELD
  }

  release(): void {
    if (!this.#end('release()')) return
    this.#lender.released()
  }

  destroy(reason?: Error): void {
    if (!this.#end('destroy()')) return
    this.#lender.destroyed(reason)
  }

  [Symbol.dispose](): void {
    if (this.isHeld) this.release()
  }

  assertHeld(): void {
    if (this.#state !== HELD) throw this.#refusal('use')
  }

  /** The pool takes it away. */
  revoke(error: TransportError): void {
    if (this.#state === HELD) this.#state = { kind: 'revoked', error }
  }

  /** False: there is nothing to give back. */
  #end(what: string): boolean {
    if (this.#state === HELD) {
      this.#state = ENDED
      return true
    }
    if (this.#state.kind === 'revoked') return false
    throw this.#refusal(what)
  }

  #refusal(what: string): TransportError {
    const cause = this.#state.kind === 'revoked' ? this.#state.error : undefined
    const why = cause === undefined ? GIVEN_BACK : REVOKED
    return new TransportError('ERR_LEASE_ENDED', `${what}: ${why}`, { cause, endpoint: this.#lender.endpoint })
  }
}
