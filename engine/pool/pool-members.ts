/** The connections of a pool: which are idle, leased, or closing, and how many do what. */
import type { TransportError } from '../protocol/errors.js'
import { IdleList } from './idle-list.js'
import { LeakDetector } from './leak-detector.js'
import { GrantedLease, type Lease } from './lease.js'
import { BETWEEN, GONE, IDLE, PoolMember, transition, type MemberEvents, type MemberState } from './pool-member.js'
import type { Poolable, PoolGround, PoolSettings } from './pool-settings.js'
import type { PoolStats } from './pool-stats.js'

export interface PoolMembersEvents {
  /** A connection has left because it was idle too long. */
  onExpired(): void
  /** A connection that was closing is gone. */
  onClosed(): void
}

export class PoolMembers<Connection extends Poolable, View> {
  /** How many are in each state; `gone`: since the beginning. */
  readonly counts: Record<MemberState<View>['kind'], number> = {
    between: 0,
    idle: 0,
    validating: 0,
    leased: 0,
    gone: 0,
  }
  /** Undefined: leases may last as long as they like. */
  readonly leaks: LeakDetector | undefined
  /** How many stay, however long they are idle. */
  min: number
  readonly #settings: PoolSettings<View>
  readonly #ground: PoolGround<Connection, View>
  readonly #events: PoolMembersEvents
  readonly #all = new Set<PoolMember<Connection, View>>()
  readonly #idle: IdleList<PoolMember<Connection, View>>
  /** Connections that have left and are closing gracefully. */
  readonly #closing = new Set<Connection>()
  #acquired = 0
  #reused = 0

  constructor(settings: PoolSettings<View>, ground: PoolGround<Connection, View>, events: PoolMembersEvents) {
    this.#settings = settings
    this.#ground = ground
    this.#events = events
    this.min = settings.min
    const { leakAfterMs } = settings
    this.leaks = leakAfterMs === undefined ? undefined : new LeakDetector(ground, leakAfterMs)
    this.#idle = new IdleList(ground.clock, settings.idleTimeoutMs, {
      mayShrink: () => this.size > this.min,
      onExpired: (member) => {
        this.retire(member)
        events.onExpired()
      },
    })
  }

  get size(): number {
    return this.#all.size
  }

  get stats(): Omit<PoolStats, 'size' | 'connecting' | 'waiting'> {
    const { validating, idle, leased, gone } = this.counts
    const [acquired, reused] = [this.#acquired, this.#reused]
    const reuseRate = acquired === 0 ? 0 : reused / acquired
    return { validating, idle, leased, created: this.size + gone, destroyed: gone, acquired, reused, reuseRate }
  }

  /** Whether none is left, nor any that is closing. */
  get areGone(): boolean {
    return this.#all.size === 0 && this.#closing.size === 0
  }

  add(connection: Connection, events: MemberEvents<Connection, View>): PoolMember<Connection, View> {
    const { maxLifetimeMs, lifetimeJitter } = this.#settings
    const { clock, random } = this.#ground
    const expiresAt =
      maxLifetimeMs === undefined ? Infinity : clock.now() + maxLifetimeMs * (1 - lifetimeJitter * random())
    const member = new PoolMember(connection, expiresAt, this.#ground, events)
    this.#all.add(member)
    this.counts.between++
    return member
  }

  isOld({ expiresAt }: PoolMember<Connection, View>): boolean {
    return expiresAt !== Infinity && expiresAt <= this.#ground.clock.now()
  }

  move(member: PoolMember<Connection, View>, to: MemberState<View>): void {
    const next = transition(member.state, to)
    this.counts[member.state.kind]--
    this.counts[next.kind]++
    member.state = next
  }

  rest(member: PoolMember<Connection, View>): void {
    this.move(member, IDLE)
    this.#idle.put(member)
  }

  takeIdle(): PoolMember<Connection, View> | undefined {
    const member = this.#idle.take()
    if (member !== undefined) this.move(member, BETWEEN)
    return member
  }

  /** Ends idle ones while there are more than this, those first that have been idle longest. */
  shrinkTo(max: number): void {
    while (this.size > max) {
      const member = this.#idle.takeOldest()
      if (member === undefined) break
      this.retire(member)
    }
    this.#idle.reschedule()
  }

  /** Takes it off the idle list. False: it is not idle. */
  takeOff(member: PoolMember<Connection, View>): boolean {
    if (member.state.kind !== 'idle') return false
    this.#idle.remove(member)
    this.move(member, BETWEEN)
    return true
  }

  lend(member: PoolMember<Connection, View>, takenAt: Error | undefined): Lease<View> {
    const lease = new GrantedLease<View>(member)
    this.#acquired++
    if (member.used) this.#reused++
    member.used = true
    const cancelLeakTimer = takenAt === undefined ? undefined : this.leaks?.start(takenAt)
    this.move(member, { kind: 'leased', lease, cancelLeakTimer })
    return lease
  }

  /** False: it is not leased any more. */
  takeBack(member: PoolMember<Connection, View>): boolean {
    const { state } = member
    if (state.kind !== 'leased') return false
    state.cancelLeakTimer?.()
    this.move(member, BETWEEN)
    return true
  }

  leave(member: PoolMember<Connection, View>): void {
    this.move(member, GONE)
    this.#all.delete(member)
  }

  /** Its time is over: what was sent leaves. */
  retire(member: PoolMember<Connection, View>): void {
    this.leave(member)
    this.closeSoon(member.connection)
  }

  closeSoon(connection: Connection): void {
    this.#closing.add(connection)
    const forget = (): void => {
      this.#closing.delete(connection)
      this.#events.onClosed()
    }
    connection.close().then(forget, forget)
  }

  /** Ends it at once, and takes it from its user. */
  expel(member: PoolMember<Connection, View>, error: TransportError): void {
    const { state, connection } = member
    if (state.kind === 'leased') {
      state.lease.revoke(error)
      state.cancelLeakTimer?.()
    } else if (state.kind === 'validating') {
      state.stop()
    }
    this.leave(member)
    connection.destroy(error)
  }

  /** The pool closes: idle ones end gracefully, those that are being validated at once, and leased ones go on. */
  close(error: TransportError): void {
    for (const member of this.#idle.clear()) this.retire(member)
    for (const member of this.#all) if (member.state.kind === 'validating') this.expel(member, error)
  }

  /** Ends all at once, also those that are leased or closing. */
  cut(error: TransportError): void {
    for (const member of this.#all) this.expel(member, error)
    for (const connection of this.#closing) connection.destroy(error)
    this.#closing.clear()
  }
}
