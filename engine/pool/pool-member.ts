/** One connection of a pool, from when it was made until it leaves. */
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import type { GrantedLease, Lender } from './lease.js'
import type { Gate, Poolable, PoolGround } from './pool-settings.js'

export type MemberState<View> =
  /** On its way from one of the other states to the next, in this very turn. */
  | { readonly kind: 'between' }
  | { readonly kind: 'idle' }
  | { readonly kind: 'validating'; readonly stop: () => void }
  | { readonly kind: 'leased'; readonly lease: GrantedLease<View>; readonly cancelLeakTimer: (() => void) | undefined }
  /** It left the pool. */
  | { readonly kind: 'gone' }

type Kind = MemberState<unknown>['kind']

const NEXT: Readonly<Record<Kind, readonly Kind[]>> = {
  between: ['idle', 'validating', 'leased', 'gone'],
  idle: ['between', 'gone'],
  validating: ['between', 'gone'],
  leased: ['between', 'gone'],
  gone: [],
}

/** The wanted state; the same one as before if it cannot follow. */
export function transition<View>(state: MemberState<View>, wanted: MemberState<View>): MemberState<View> {
  return NEXT[state.kind].includes(wanted.kind) ? wanted : state
}

export const BETWEEN = { kind: 'between' } as const
export const IDLE = { kind: 'idle' } as const
export const GONE = { kind: 'gone' } as const

/** What becomes of a member in the hands of its user, or of its peer. */
export interface MemberEvents<Connection extends Poolable, View> {
  onReleased(member: PoolMember<Connection, View>): void
  onDestroyed(member: PoolMember<Connection, View>, reason: Error | undefined): void
  /** While it was idle. */
  onUnfit(member: PoolMember<Connection, View>, why: ReuseBlocker): void
}

export class PoolMember<Connection extends Poolable, View> implements Lender<View> {
  readonly connection: Connection
  /** When it is too old, by the pool's clock; Infinity: never. */
  readonly expiresAt: number
  state: MemberState<View> = BETWEEN
  /** Whether it has been lent before. */
  used = false
  idleSince = 0
  readonly #ground: PoolGround<Connection, View>
  readonly #events: MemberEvents<Connection, View>

  constructor(
    connection: Connection,
    expiresAt: number,
    ground: PoolGround<Connection, View>,
    events: MemberEvents<Connection, View>,
  ) {
    this.connection = connection
    this.expiresAt = expiresAt
    this.#ground = ground
    this.#events = events
  }

  get endpoint(): string {
    return this.#ground.endpoint
  }

  present(gate: Gate): View {
    return this.#ground.present(this.connection, gate)
  }

  released(): void {
    this.#events.onReleased(this)
  }

  destroyed(reason: Error | undefined): void {
    this.#events.onDestroyed(this, reason)
  }

  /** Given to the connection while it is idle. */
  readonly onUnfit = (why: ReuseBlocker): void => this.#events.onUnfit(this, why)
}
