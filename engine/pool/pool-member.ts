/** One connection of a pool, from the moment at which it was made until it leaves. */
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import type { GrantedLease, Lender } from './lease.js'
import type { Poolable } from './poolable.js'
import type { Gate } from './pool-settings.js'

export type MemberState<View> =
  /** It is on its way from one of the other states to the next, in this very turn. */
  | { readonly kind: 'between' }
  | { readonly kind: 'idle' }
  | { readonly kind: 'validating'; readonly stop: () => void }
  | {
      readonly kind: 'leased'
      readonly lease: GrantedLease<View>
      readonly cancelLeakTimer: (() => void) | undefined
    }
  /** It left the pool. */
  | { readonly kind: 'gone' }

export const BETWEEN = { kind: 'between' } as const
export const IDLE = { kind: 'idle' } as const
export const GONE = { kind: 'gone' } as const

/** What a member tells its pool. */
export interface MemberEvents<Connection extends Poolable, View> {
  readonly endpoint: string
  present(connection: Connection, gate: Gate): View
  onReleased(member: PoolMember<Connection, View>): void
  onDestroyed(member: PoolMember<Connection, View>, reason: Error | undefined): void
  /** While it rested. */
  onUnfit(member: PoolMember<Connection, View>, why: ReuseBlocker): void
}

export class PoolMember<Connection extends Poolable, View> implements Lender<View> {
  readonly connection: Connection
  /** When it has grown too old, by the pool's clock; Infinity: never. */
  readonly expiresAt: number
  state: MemberState<View> = BETWEEN
  /** Whether it has been lent before. */
  used = false
  idleSince = 0
  readonly #events: MemberEvents<Connection, View>

  constructor(connection: Connection, expiresAt: number, events: MemberEvents<Connection, View>) {
    this.connection = connection
    this.expiresAt = expiresAt
    this.#events = events
  }

  get endpoint(): string {
    return this.#events.endpoint
  }

  present(gate: Gate): View {
    return this.#events.present(this.connection, gate)
  }

  released(): void {
    this.#events.onReleased(this)
  }

  destroyed(reason: Error | undefined): void {
    this.#events.onDestroyed(this, reason)
  }

  /** Given to the connection while it rests. */
  readonly onUnfit = (why: ReuseBlocker): void => {
    this.#events.onUnfit(this, why)
  }
}
