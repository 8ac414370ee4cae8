/** A reconnecting connection over connections that the test makes, with a clock that stands still. */
import { Breaker, type BreakerSettings } from '../../engine/reconnect/breaker.js'
import type { ClosedInfo } from '../../engine/common/connection.js'
import type { ReconnectingState } from '../../engine/reconnect/reconnecting-connection.js'
import { Reconnector } from '../../engine/reconnect/reconnector.js'
import type { LossReport, ReconnectingSettings } from '../../engine/reconnect/reconnecting-settings.js'
import { HandlerFailures } from '../../engine/common/handler-failures.js'
import { FakeTracked, FakeDialler } from './fake-tracked-connection.js'
import { FailureBook } from './failure-book.js'
import { FakeClock } from './fake-clock.js'
import { turns } from './turns.js'

/** Time stands still; turns do not. */
export class TurningClock extends FakeClock {
  override nextTurn(fn: () => void): void {
    setImmediate(fn)
  }
}

export class FakeReconnecting {
  readonly clock: FakeClock
  readonly dialler = new FakeDialler()
  readonly reports: LossReport[] = []
  readonly states: ReconnectingState[] = []
  readonly endings: ClosedInfo[] = []
  readonly failures = new FailureBook()
  readonly reconnecting: Reconnector<FakeTracked>
  /** How many wishes to keep the process alive it has not taken back. */
  keepsAlive = 0

  constructor(settings: Partial<ReconnectingSettings<FakeTracked>> = {}, clock: FakeClock = new TurningClock()) {
    this.clock = clock
    this.reconnecting = new Reconnector<FakeTracked>({
      engine: '0',
      endpoint: 'fake:peer',
      kind: 'fake',
      halfClose: true,
      dial: this.dialler.dial,
      breaker: undefined,
      framing: { kind: 'length', delimiter: 0x0a },
      maxFrameBytes: 1000,
      maxPendingBytes: 1000,
      connectTimeoutMs: 500,
      closeTimeoutMs: 200,
      backoff: { initialMs: 100, maxMs: 1000, factor: 3, jitter: 'none' },
      maxAttempts: Infinity,
      maxElapsedMs: Infinity,
      stableMs: 5000,
      firstConnect: 'wait',
      unsent: 'resend',
      heartbeat: undefined,
      onConnected: undefined,
      onLoss: (report) => this.reports.push(report),
      failures: new HandlerFailures(clock, this.failures.onError),
      clock,
      random: () => 0.5,
      keepAlive: (on) => {
        this.keepsAlive += on ? 1 : -1
      },
      onClosed: (ending) => this.endings.push(ending),
      ...settings,
    })
    this.reconnecting.onStateChange((state) => this.states.push(state))
  }

  /** The dial that is pending, or comes after the pause, succeeds. */
  async connect(connection = new FakeTracked()): Promise<FakeTracked> {
    await this.dialled()
    this.dialler.accept(connection)
    await turns(2)
    return connection
  }

  async refuse(code?: Parameters<FakeDialler['refuse']>[0]): Promise<void> {
    await this.dialled()
    this.dialler.refuse(code)
    await turns(2)
  }

  /** A dial is pending; pauses pass. */
  async dialled(): Promise<void> {
    await turns(2)
    for (let i = 0; this.dialler.pending === 0; i++) {
      if (i === 100) throw new Error(`it does not dial: it is ${this.reconnecting.state}`)
      this.clock.advance(100)
      await turns(2)
    }
  }
}

export function breakerFor(clock: FakeClock, settings: Partial<BreakerSettings> = {}, endpoint = 'fake:peer'): Breaker {
  return new Breaker({ engine: '0', endpoint }, { failures: 3, openMs: 1000, concurrency: 2, ...settings }, clock)
}

export function texts(frames: readonly Buffer[]): string[] {
  return frames.map(String)
}
