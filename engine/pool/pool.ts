/**
 * A pool of connections: lends each to one user at a time, keeps those that came back fit, and makes new ones as they
 * are needed. It knows no transport and no shard.
 *
 * Whoever waits and whatever is on its way (being made, being validated) are not tied to each other: a connection that
 * gets ready goes to the first who waits, or on the shelf. So nobody is overtaken, and giving up costs no connection.
 */
import { events, type PoolDiscardedEvent } from '../common/diagnostics.js'
import { TransportError } from '../protocol/errors.js'
import type { ReuseBlocker } from '../common/reuse-blocker.js'
import { checkWaitOptions, invalidOption } from '../common/wait-options.js'
import { abortError, type WaitOptions } from '../protocol/waiter.js'
import { AcquireRequest } from './acquire-request.js'
import { DialThrottle } from './dial-throttle.js'
import { IdleList } from './idle-list.js'
import { LeakDetector } from './leak-detector.js'
import { GrantedLease, type Lease } from './lease.js'
import { acquireTimeout, creationFailed, poolClosed, unfit } from './pool-errors.js'
import { BETWEEN, GONE, IDLE, PoolMember, type MemberEvents } from './pool-member.js'
import type { Gate, PoolBounds, PoolGround, PoolSettings } from './pool-settings.js'
import type { PoolStats } from './pool-stats.js'
import type { Poolable } from './poolable.js'
import { startValidation } from './validation.js'

type State =
  | { readonly kind: 'open' }
  /** No more leases are granted; those that are out are waited for. */
  | { readonly kind: 'closing'; readonly error: TransportError; readonly cancelCut: () => void }
  | { readonly kind: 'closed'; readonly error: TransportError }

type When = PoolDiscardedEvent['when']

const OPEN: State = { kind: 'open' }
const NO_WAIT: WaitOptions = {}

export class Pool<Connection extends Poolable, View> implements MemberEvents<Connection, View> {
  /** Settles when the pool was closed and its last connection is gone. Never rejects. */
  readonly closed: Promise<void>
  readonly #settings: PoolSettings<View>
  readonly #ground: PoolGround<Connection, View>
  readonly #pace: DialThrottle
  readonly #leaks: LeakDetector | undefined
  readonly #idle: IdleList<PoolMember<Connection, View>>
  readonly #members = new Set<PoolMember<Connection, View>>()
  /** In the order in which they came. */
  readonly #waiting = new Set<AcquireRequest<View>>()
  /** Connections that have left and are closing gracefully. */
  readonly #leaving = new Set<Connection>()
  /** Ends dials when the pool closes. */
  readonly #dials = new AbortController()
  #state: State = OPEN
  #settleClosed!: () => void
  #min: number
  #max: number
  #connecting = 0
  #validating = 0
  #leased = 0
  #created = 0
  #destroyed = 0
  #acquired = 0
  #reused = 0
  /** Why the last attempt to make a connection failed, if none has succeeded since. */
  #lastFailure: unknown

  constructor(settings: PoolSettings<View>, ground: PoolGround<Connection, View>) {
    const { clock, endpoint, random } = ground
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
    this.#settings = settings
    this.#ground = ground
    this.#min = settings.min
    this.#max = settings.max
    this.#pace = new DialThrottle(settings.backoff, random, clock, () => {
      this.#proceed()
    })
    this.#leaks =
      settings.leakAfterMs === undefined ? undefined : new LeakDetector(endpoint, clock, settings.leakAfterMs)
    this.#idle = new IdleList(clock, settings.idleTimeoutMs, {
      mayShrink: () => this.#members.size > this.#min,
      onExpired: (member) => {
        this.#retire(member)
        this.#proceed()
      },
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
    const refusal = this.#refusalOf(options)
    if (refusal !== undefined) return Promise.reject(refusal)
    const takenAt = this.#leaks?.mark()
    if (this.#waiting.size === 0 && this.#settings.validate === undefined) {
      const member = this.#takeIdle()
      if (member !== undefined) {
        const lease = this.#lend(member, takenAt)
        // One was skipped, or this one has proven that connections can be made.
        if (this.#size < this.#min) this.#proceed()
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
      // Nobody knows what was under way: a reply that comes late must not go to the next user.
      if (lease.isHeld) lease.destroy(error instanceof Error ? error : undefined)
      throw error
    }
    lease[Symbol.dispose]()
    return result
  }

  /** Connections above the new maximum are closed: idle ones now, leased ones when they come back. */
  resize({ min, max }: PoolBounds): void {
    if (this.#state !== OPEN) throw this.#closedError()
    this.#min = min
    this.#max = max
    while (this.#members.size > max) {
      const member = this.#idle.takeOldest()
      if (member === undefined) break
      this.#retire(member)
    }
    this.#idle.reschedule()
    this.#proceed()
  }

  stats(): PoolStats {
    const connecting = this.#connecting
    const validating = this.#validating
    const idle = this.#idle.count
    const leased = this.#leased
    return {
      size: connecting + validating + idle + leased,
      connecting,
      validating,
      idle,
      leased,
      waiting: this.#waiting.size,
      created: this.#created,
      destroyed: this.#destroyed,
      acquired: this.#acquired,
      reused: this.#reused,
      reuseRate: this.#acquired === 0 ? 0 : this.#reused / this.#acquired,
    }
  }

  /**
   * Grants no more leases, rejects whoever waits, closes what is idle, and waits for leases to come back; after
   * `graceMs` (undefined: when `cut()` is called) what is left is destroyed. `cause`: why, if its owner did not ask for
   * it.
   */
  close(graceMs: number | undefined, cause?: unknown): Promise<void> {
    if (this.#state.kind !== 'open') return this.closed
    const error = poolClosed(this.endpoint, cause)
    const cancelCut =
      graceMs === undefined
        ? (): void => undefined
        : this.#ground.clock.setTimer(() => {
            this.cut()
          }, graceMs)
    this.#state = { kind: 'closing', error, cancelCut }
    this.#pace.stop()
    this.#refuseAll(error)
    for (const member of this.#idle.clear()) this.#retire(member)
    // Whoever validates sees the connection end.
    for (const member of this.#members) if (member.state.kind === 'validating') this.#expel(member, error)
    this.#dials.abort(error)
    this.#closeIfEmpty()
    return this.closed
  }

  /** Ends the wait for leases of a pool that closes. */
  cut(): void {
    if (this.#state.kind !== 'closing') return
    const { error } = this.#state
    for (const member of this.#members) this.#expel(member, error)
    for (const connection of this.#leaving) connection.destroy(error)
    this.#leaving.clear()
    this.#finishClosing()
  }

  // What members tell.

  present(connection: Connection, gate: Gate): View {
    return this.#ground.present(connection, gate)
  }

  onReleased(member: PoolMember<Connection, View>): void {
    if (!this.#takeBack(member)) return
    if (this.#state !== OPEN || this.#members.size > this.#max || this.#isOld(member)) {
      this.#retire(member)
      this.#proceed()
      return
    }
    this.#place(member, 'released')
  }

  onDestroyed(member: PoolMember<Connection, View>, reason: Error | undefined): void {
    if (!this.#takeBack(member)) return
    this.#leave(member)
    member.connection.destroy(reason)
    this.#closeIfEmpty()
    this.#proceed()
  }

  onUnfit(member: PoolMember<Connection, View>, why: ReuseBlocker): void {
    if (member.state !== IDLE) return
    this.#idle.remove(member)
    this.#drop(member, why, 'idle')
    this.#proceed()
  }

  // The way of a request.

  #refusalOf(options: WaitOptions): TransportError | undefined {
    if (options !== NO_WAIT) {
      const wrong = checkWaitOptions(options, 'acquire()')
      if (wrong !== undefined) return wrong
    }
    if (this.#state !== OPEN) return this.#closedError()
    if (options.signal?.aborted !== true) return undefined
    return abortError('acquiring a connection', this.endpoint, options.signal.reason)
  }

  #wait(options: WaitOptions, takenAt: Error | undefined): Promise<Lease<View>> {
    if (this.#state !== OPEN) return Promise.reject(this.#closedError())
    const { clock, endpoint } = this.#ground
    const timeoutMs = options.timeoutMs ?? this.#settings.acquireTimeoutMs
    const request = new AcquireRequest<View>(
      {
        endpoint,
        clock,
        signal: options.signal,
        timeoutMs,
        onTimeout: () => acquireTimeout(endpoint, timeoutMs, this.stats(), this.#max, this.#lastFailure),
        onGivenUp: () => {
          this.#waiting.delete(request)
        },
      },
      takenAt,
    )
    this.#waiting.add(request)
    this.#proceed()
    const waiting = this.#waiting.size
    if (waiting > this.#connecting + this.#validating && this.#size >= this.#max)
      events.poolExhausted.publish({ endpoint, waiting, max: this.#max })
    return request.promise
  }

  #refuseAll(error: TransportError): void {
    const requests = [...this.#waiting]
    this.#waiting.clear()
    for (const request of requests) request.refuse(error)
  }

  /** Gives those who wait what is on the shelf, and makes connections for the others and up to the minimum. */
  #proceed(): void {
    if (this.#state !== OPEN) return
    while (this.#waiting.size > this.#validating) {
      const member = this.#takeIdle()
      if (member === undefined) break
      this.#offer(member)
    }
    // Observers are called on the way, and may have closed the pool.
    if (!this.isOpen) return
    const unserved = this.#waiting.size - this.#validating - this.#connecting
    const wanted = Math.max(unserved, this.#min - this.#size)
    const room = Math.min(wanted, this.#max - this.#size, this.#pace.limit - this.#connecting)
    for (let i = 0; i < room; i++) this.#dial()
  }

  // The way of a connection.

  #dial(): void {
    this.#connecting++
    const run = async (): Promise<Connection> => this.#ground.dial({ signal: this.#dials.signal })
    run().then(
      (connection) => {
        this.#connecting--
        this.#created++
        this.#welcome(connection)
        this.#proceed()
      },
      (error: unknown) => {
        this.#connecting--
        if (this.#state === OPEN) {
          this.#creationFailed(error, !(error instanceof TransportError) || error.retryable)
          this.#proceed()
        } else this.#closeIfEmpty()
      },
    )
  }

  #welcome(connection: Connection): void {
    const { maxLifetimeMs, lifetimeJitter } = this.#settings
    const { clock, random } = this.#ground
    const expiresAt =
      maxLifetimeMs === undefined ? Infinity : clock.now() + maxLifetimeMs * (1 - lifetimeJitter * random())
    const member = new PoolMember(connection, expiresAt, this)
    this.#members.add(member)
    const state = this.#state
    if (state.kind !== 'open') this.#expel(member, state.error)
    // The pool was made smaller meanwhile.
    else if (this.#members.size > this.#max) this.#retire(member)
    else this.#place(member, 'lending')
    this.#closeIfEmpty()
  }

  /** To the first who waits, or on the shelf. */
  #place(member: PoolMember<Connection, View>, when: When): void {
    const { connection } = member
    const isWanted = this.#waiting.size > this.#validating
    const why = isWanted ? connection.checkout() : connection.park(member.onUnfit)
    if (why !== undefined) {
      this.#drop(member, why, when)
      this.#proceed()
    } else if (isWanted) {
      this.#offer(member)
    } else {
      member.state = IDLE
      this.#idle.put(member)
    }
  }

  /** One that is fit, by what its shard has said until now. */
  #takeIdle(): PoolMember<Connection, View> | undefined {
    for (;;) {
      const member = this.#idle.take()
      if (member === undefined) return undefined
      member.state = BETWEEN
      const why = member.connection.checkout()
      if (why !== undefined) this.#drop(member, why, 'lending')
      else if (this.#isOld(member)) this.#retire(member)
      else return member
    }
  }

  #offer(member: PoolMember<Connection, View>): void {
    if (this.#settings.validate === undefined) this.#grant(member)
    else this.#validate(member, this.#settings.validate)
  }

  #validate(member: PoolMember<Connection, View>, validate: (connection: View) => unknown): void {
    const { endpoint, clock, failures } = this.#ground
    const stop = startValidation<View>({
      endpoint,
      clock,
      timeoutMs: this.#settings.acquireTimeoutMs,
      validate,
      present: (gate) => this.#ground.present(member.connection, gate),
      onFault: (cause) => {
        const message = 'validate failed, so its connection was destroyed. See the cause.'
        const error = new TransportError('ERR_HANDLER', message, { cause, endpoint })
        failures.report(error, { where: 'validate', endpoint, connection: undefined })
      },
      onDone: (failure) => {
        this.#validating--
        member.state = BETWEEN
        if (failure === undefined) this.#grant(member)
        else this.#drop(member, 'invalid', 'lending', failure)
        this.#proceed()
      },
    })
    member.state = { kind: 'validating', stop }
    this.#validating++
  }

  /** To the first who waits; on the shelf if they have all given up. */
  #grant(member: PoolMember<Connection, View>): void {
    const [request] = this.#waiting
    const why = member.connection.checkout()
    if (why !== undefined) {
      this.#drop(member, why, 'lending')
    } else if (request === undefined) {
      this.#place(member, 'lending')
    } else {
      this.#waiting.delete(request)
      request.grant(this.#lend(member, request.takenAt))
    }
  }

  #lend(member: PoolMember<Connection, View>, takenAt: Error | undefined): Lease<View> {
    const lease = new GrantedLease<View>(member)
    this.#acquired++
    this.#leased++
    if (member.used) {
      this.#reused++
    } else {
      member.used = true
      this.#lastFailure = undefined
      this.#pace.succeeded()
    }
    const cancelLeakTimer = takenAt === undefined ? undefined : this.#leaks?.start(takenAt)
    member.state = { kind: 'leased', lease, cancelLeakTimer }
    return lease
  }

  /** False: it is not out on lease any more. */
  #takeBack(member: PoolMember<Connection, View>): boolean {
    const { state } = member
    if (state.kind !== 'leased') return false
    state.cancelLeakTimer?.()
    this.#leased--
    member.state = BETWEEN
    return true
  }

  #isOld(member: PoolMember<Connection, View>): boolean {
    return member.expiresAt !== Infinity && member.expiresAt <= this.#ground.clock.now()
  }

  /** It is not good for anybody else. What was sent still leaves, unless somebody is in the way of that. */
  #drop(
    member: PoolMember<Connection, View>,
    why: ReuseBlocker | 'invalid',
    when: When,
    error: TransportError = unfit(this.endpoint, why),
  ): void {
    this.#leave(member)
    events.poolDiscarded.publish({ endpoint: this.endpoint, why, when })
    if (why === 'ended' || why === 'unsent') this.#closeSoon(member.connection)
    else member.connection.destroy(error)
    // One that nobody ever had: making another one at once would go on for ever.
    if (!member.used) this.#creationFailed(error, true)
  }

  /** Its time is over: it ends in peace. */
  #retire(member: PoolMember<Connection, View>): void {
    this.#leave(member)
    this.#closeSoon(member.connection)
  }

  /** The pool is over: it ends at once, whoever has it. */
  #expel(member: PoolMember<Connection, View>, error: TransportError): void {
    const { state } = member
    if (state.kind === 'leased') {
      state.lease.revoke(error)
      this.#takeBack(member)
    } else if (state.kind === 'validating') {
      state.stop()
      this.#validating--
    }
    this.#leave(member)
    member.connection.destroy(error)
  }

  #leave(member: PoolMember<Connection, View>): void {
    member.state = GONE
    this.#members.delete(member)
    this.#destroyed++
  }

  #closeSoon(connection: Connection): void {
    this.#leaving.add(connection)
    const forget = (): void => {
      this.#leaving.delete(connection)
      this.#closeIfEmpty()
    }
    connection.close().then(forget, forget)
  }

  #creationFailed(error: unknown, canRecover: boolean): void {
    this.#lastFailure = error
    const pauseMs = this.#pace.failed()
    const { endpoint } = this.#ground
    const { failures } = this.#pace
    if (pauseMs !== undefined) events.poolConnectionFailed.publish({ endpoint, failures, error, pauseMs })
    if (!canRecover || failures >= this.#settings.createAttempts)
      this.#refuseAll(creationFailed(endpoint, failures, error))
  }

  get #size(): number {
    return this.#members.size + this.#connecting
  }

  #closedError(): TransportError {
    return poolClosed(this.endpoint, this.#state.kind === 'open' ? undefined : this.#state.error.cause)
  }

  #closeIfEmpty(): void {
    if (this.#state.kind !== 'closing') return
    if (this.#members.size === 0 && this.#connecting === 0 && this.#leaving.size === 0) this.#finishClosing()
  }

  #finishClosing(): void {
    if (this.#state.kind !== 'closing') return
    const { error, cancelCut } = this.#state
    this.#state = { kind: 'closed', error }
    cancelCut()
    this.#settleClosed()
  }
}
