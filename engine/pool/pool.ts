/**
 * A pool of connections: lends each to one user at a time, keeps those that came back fit, and makes new ones as they
 * are needed. It knows no transport and no shard.
 *
 * Requests and the connections on their way (being made or validated) are not tied to each other: a connection that is
 * ready goes to the first request, or is idle. So no request is overtaken, and giving up costs no connection.
 */
import { Deferred } from '../common/deferred.js'
import { events, type PoolDiscardedEvent } from '../common/diagnostics.js'
import { TransportError } from '../protocol/errors.js'
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import { checkWaitOptions, invalidOption } from '../common/call-options.js'
import { abortedBefore, Waiter, type WaitOptions } from '../protocol/waiter.js'
import { DialThrottle } from './dial-throttle.js'
import type { Lease } from './lease.js'
import { acquireTimeout, creationFailed, poolClosed, unfit } from './pool-errors.js'
import { BETWEEN, type MemberEvents, type PoolMember } from './pool-member.js'
import { PoolMembers } from './pool-members.js'
import type { Poolable, PoolBounds, PoolGround, PoolSettings } from './pool-settings.js'
import { OPEN, transition, type PoolState } from './pool-state.js'
import type { PoolStats } from './pool-stats.js'
import { startValidation } from './validation.js'

interface AcquireRequest<View> {
  readonly waiter: Waiter<Lease<View>>
  /** Where it was made, if leaks are looked for. */
  readonly takenAt: Error | undefined
}

type When = PoolDiscardedEvent['when']

const ACQUIRING = 'acquiring a connection'
const NO_WAIT: WaitOptions = {}

export class Pool<Connection extends Poolable, View> implements MemberEvents<Connection, View> {
  readonly #closed = new Deferred<undefined>()
  /** Settles when the pool was closed and its last connection is gone. Never rejects. */
  readonly closed: Promise<void> = this.#closed.promise
  readonly #settings: PoolSettings<View>
  readonly #ground: PoolGround<Connection, View>
  readonly #dials: DialThrottle<Connection>
  readonly #members: PoolMembers<Connection, View>
  /** In the order in which they came. */
  readonly #waiting = new Set<AcquireRequest<View>>()
  #state: PoolState = OPEN
  #max: number

  constructor(settings: PoolSettings<View>, ground: PoolGround<Connection, View>) {
    this.#settings = settings
    this.#ground = ground
    this.#max = settings.max
    this.#dials = new DialThrottle(settings.backoff, ground, {
      onConnection: (connection) => {
        this.#welcome(connection)
        this.#proceed()
      },
      onFailed: (error) => {
        if (this.isOpen) {
          this.#creationFailed(error, !(error instanceof TransportError) || error.retryable)
          this.#proceed()
        } else this.#closeIfEmpty()
      },
      onPauseOver: () => this.#proceed(),
    })
    this.#members = new PoolMembers(settings, ground, {
      onExpired: () => this.#proceed(),
      onClosed: () => this.#closeIfEmpty(),
    })
    this.#proceed()
  }

  get endpoint(): string {
    return this.#ground.endpoint
  }

  get isOpen(): boolean {
    return this.#state === OPEN
  }

  acquire(options: WaitOptions = NO_WAIT): Promise<Lease<View>> {
    const wrong = options === NO_WAIT ? undefined : checkWaitOptions(options, 'acquire()')
    const refusal = wrong ?? (this.isOpen ? abortedBefore(ACQUIRING, this.endpoint, options) : this.#closedError())
    if (refusal !== undefined) return Promise.reject(refusal)
    const takenAt = this.#members.leaks?.mark()
    if (this.#waiting.size === 0 && this.#settings.validate === undefined) {
      const member = this.#takeIdle()
      if (member !== undefined) {
        const lease = this.#lend(member, takenAt)
        // One was skipped, or this one has proven that connections can be made.
        if (this.#size < this.#members.min) this.#proceed()
        return Promise.resolve(lease)
      }
    }
    return this.#wait(options, takenAt)
  }

  async use<Result>(
    fn: (connection: View) => Result | PromiseLike<Result>,
    options: WaitOptions = NO_WAIT,
  ): Promise<Result> {
    if (typeof fn !== 'function') throw invalidOption('use()', 'fn', 'it must be a function')
    const lease = await this.acquire(options)
    let result: Result
    try {
      result = await fn(lease.connection)
    } catch (error) {
      // What was under way is not known: a reply that comes late must not go to the next user.
      if (lease.isHeld) lease.destroy(error instanceof Error ? error : undefined)
      throw error
    }
    lease[Symbol.dispose]()
    return result
  }

  /** Connections above the new maximum are closed: idle ones now, leased ones when they come back. */
  resize({ min, max }: PoolBounds): void {
    if (!this.isOpen) throw this.#closedError()
    this.#members.min = min
    this.#max = max
    this.#members.shrinkTo(max)
    this.#proceed()
  }

  stats(): PoolStats {
    const { connecting } = this.#dials
    const { stats } = this.#members
    return {
      ...stats,
      size: connecting + stats.validating + stats.idle + stats.leased,
      connecting,
      waiting: this.#waiting.size,
    }
  }

  /**
   * Grants no more leases, rejects every request, closes what is idle, and waits for leases to come back; after
   * `graceMs` (undefined: when `cut()` is called) what is left is destroyed. `cause`: why, unless its owner closes it.
   */
  close(graceMs: number | undefined, cause?: unknown): Promise<void> {
    if (!this.isOpen) return this.closed
    const error = poolClosed(this.endpoint, cause)
    const cancelCut =
      graceMs === undefined ? (): void => undefined : this.#ground.clock.setTimer(() => this.cut(), graceMs)
    this.#state = transition(this.#state, { kind: 'close', error, cancelCut })
    this.#refuseAll(error)
    this.#members.close(error)
    this.#dials.stop(error)
    this.#closeIfEmpty()
    return this.closed
  }

  /** Ends the wait for leases of a pool that closes. */
  cut(): void {
    if (this.#state.kind !== 'closing') return
    this.#members.cut(this.#state.error)
    this.#finishClosing()
  }

  onReleased(member: PoolMember<Connection, View>): void {
    if (!this.#members.takeBack(member)) return
    if (!this.isOpen || this.#members.size > this.#max || this.#members.isOld(member)) {
      this.#members.retire(member)
      this.#proceed()
      return
    }
    this.#place(member, 'released')
  }

  onDestroyed(member: PoolMember<Connection, View>, reason: Error | undefined): void {
    if (!this.#members.takeBack(member)) return
    this.#members.leave(member)
    member.connection.destroy(reason)
    this.#closeIfEmpty()
    this.#proceed()
  }

  onUnfit(member: PoolMember<Connection, View>, why: ReuseBlocker): void {
    if (!this.#members.takeOff(member)) return
    this.#drop(member, why, 'idle')
    this.#proceed()
  }

  #wait(options: WaitOptions, takenAt: Error | undefined): Promise<Lease<View>> {
    if (!this.isOpen) return Promise.reject(this.#closedError())
    const { clock, engine, endpoint } = this.#ground
    const { signal, timeoutMs = this.#settings.acquireTimeoutMs } = options
    const onGivenUp = (): boolean => this.#waiting.delete(request)
    const onTimeout = (): TransportError =>
      acquireTimeout(endpoint, timeoutMs, this.stats(), this.#max, this.#dials.lastFailure)
    const waiter = new Waiter<Lease<View>>(ACQUIRING, endpoint, { signal, timeoutMs }, clock, onGivenUp, onTimeout)
    const request = { waiter, takenAt }
    this.#waiting.add(request)
    this.#proceed()
    const waiting = this.#waiting.size
    if (waiting > this.#dials.connecting + this.#members.counts.validating && this.#size >= this.#max)
      events.poolExhausted.publish({ engine, endpoint, waiting, max: this.#max })
    return waiter.promise
  }

  #refuseAll(error: TransportError): void {
    const requests = [...this.#waiting]
    this.#waiting.clear()
    for (const { waiter } of requests) waiter.reject(error)
  }

  /** Serves requests from the idle list, and makes connections for the others and up to the minimum. */
  #proceed(): void {
    if (this.#state !== OPEN) return
    const { counts } = this.#members
    while (this.#waiting.size > counts.validating) {
      const member = this.#takeIdle()
      if (member === undefined) break
      this.#offer(member)
    }
    // Observers are called on the way, and may have closed the pool.
    if (!this.isOpen) return
    const unserved = this.#waiting.size - counts.validating - this.#dials.connecting
    const wanted = Math.max(unserved, this.#members.min - this.#size)
    const room = Math.min(wanted, this.#max - this.#size, this.#dials.room)
    for (let i = 0; i < room; i++) this.#dials.dial()
  }

  #welcome(connection: Connection): void {
    const member = this.#members.add(connection, this)
    const state = this.#state
    if (state.kind !== 'open') this.#members.expel(member, state.error)
    // The pool was made smaller meanwhile.
    else if (this.#members.size > this.#max) this.#members.retire(member)
    else this.#place(member, 'lending')
    this.#closeIfEmpty()
  }

  /** To the first request, or onto the idle list. */
  #place(member: PoolMember<Connection, View>, when: When): void {
    const { connection } = member
    const isWanted = this.#waiting.size > this.#members.counts.validating
    const why = isWanted ? connection.checkout() : connection.park(member.onUnfit)
    if (why !== undefined) {
      this.#drop(member, why, when)
      this.#proceed()
    } else if (isWanted) {
      this.#offer(member)
    } else {
      this.#members.rest(member)
    }
  }

  /** One that is fit, by what its shard has said until now. */
  #takeIdle(): PoolMember<Connection, View> | undefined {
    for (;;) {
      const member = this.#members.takeIdle()
      if (member === undefined) return undefined
      const why = member.connection.checkout()
      if (why !== undefined) this.#drop(member, why, 'lending')
      else if (this.#members.isOld(member)) this.#members.retire(member)
      else return member
    }
  }

  #offer(member: PoolMember<Connection, View>): void {
    const { validate, acquireTimeoutMs } = this.#settings
    if (validate === undefined) {
      this.#grant(member)
      return
    }
    const stop = startValidation(validate, acquireTimeoutMs, member.connection, this.#ground, (failure) => {
      this.#members.move(member, BETWEEN)
      if (failure === undefined) this.#grant(member)
      else this.#drop(member, 'invalid', 'lending', failure)
      this.#proceed()
    })
    this.#members.move(member, { kind: 'validating', stop })
  }

  /** To the first request; onto the idle list if all have given up. */
  #grant(member: PoolMember<Connection, View>): void {
    const [request] = this.#waiting
    const why = member.connection.checkout()
    if (why !== undefined) {
      this.#drop(member, why, 'lending')
    } else if (request === undefined) {
      this.#place(member, 'lending')
    } else {
      this.#waiting.delete(request)
      request.waiter.resolve(this.#lend(member, request.takenAt))
    }
  }

  #lend(member: PoolMember<Connection, View>, takenAt: Error | undefined): Lease<View> {
    if (!member.used) this.#dials.succeeded()
    return this.#members.lend(member, takenAt)
  }

  /** It is not fit for another user. What was sent still leaves, unless something is unread. */
  #drop(
    member: PoolMember<Connection, View>,
    why: ReuseBlocker | 'invalid',
    when: When,
    error: TransportError = unfit(this.endpoint, why),
  ): void {
    this.#members.leave(member)
    events.poolDiscarded.publish({ engine: this.#ground.engine, endpoint: this.endpoint, why, when })
    if (why === 'ended' || why === 'unsent') this.#members.closeSoon(member.connection)
    else member.connection.destroy(error)
    // It was never lent: making another one at once could go on for ever.
    if (!member.used) this.#creationFailed(error, true)
  }

  #creationFailed(error: unknown, canRecover: boolean): void {
    const failures = this.#dials.failed(error)
    if (!canRecover || failures >= this.#settings.createAttempts)
      this.#refuseAll(creationFailed(this.endpoint, failures, error))
  }

  get #size(): number {
    return this.#members.size + this.#dials.connecting
  }

  #closedError(): TransportError {
    return poolClosed(this.endpoint, this.#state.kind === 'open' ? undefined : this.#state.error.cause)
  }

  #closeIfEmpty(): void {
    if (this.#members.areGone && this.#dials.connecting === 0) this.#finishClosing()
  }

  #finishClosing(): void {
    if (this.#state.kind !== 'closing') return
    this.#state.cancelCut()
    this.#state = transition(this.#state, { kind: 'emptied' })
    this.#closed.resolve(undefined)
  }
}
