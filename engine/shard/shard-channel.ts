/** What connects main with one shard: control calls, the shard's events, and a bell each way with its wake-ups. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { BellListener, BellNotifier, createBellMemory } from '../protocol/bell.js'
import type { ShardBoot } from '../protocol/control.js'
import type { TransportError } from '../protocol/errors.js'
import { offerWakeupSocket, type WakeupSocketHost } from '../wake/wakeup-socket-host.js'
import { ControlClient } from './control-client.js'
import { DescriptorExchange } from './descriptor-exchange.js'
import type { Activity } from './running-stack.js'
import type { ShardEnvironment } from './shard-environment.js'
import { Watchdog } from './watchdog.js'

export interface ChannelHost {
  /** The shard asks main to look at its bell. */
  onWake(): void
  /** Before each control call, so that what this sends is sent first. */
  beforeCall(): void
  /** Resolves soon, whatever the shard is doing, with what that is. */
  examine(): Promise<Activity>
  /** The shard has not answered for `stuckTimeoutMs`. */
  onStuck(activity: Activity): void
}

export class ShardChannel {
  readonly control: ControlClient
  readonly descriptors: DescriptorExchange
  /** For what the shard may call: see `exposeCallbacks()`. */
  readonly callbackPort: MessagePort
  /** Lanes that main is to look at. */
  readonly bell: BellListener
  /** The shard's ends. */
  readonly remote: Pick<ShardBoot, 'control' | 'events' | 'bell' | 'wakeupPath' | 'shardBell' | 'mainBell'>
  readonly #host: ChannelHost
  readonly #notifier: BellNotifier
  readonly #bellPort: MessagePort
  readonly #wakeupSocketHost: WakeupSocketHost | undefined
  readonly #watchdog: Watchdog
  #keepAlive = 0

  constructor(host: ChannelHost, { doorbell, settings, clock }: ShardEnvironment) {
    this.#host = host
    const control = new MessageChannel()
    const events = new MessageChannel()
    const bell = new MessageChannel()
    const shardBell = createBellMemory()
    const mainBell = createBellMemory()
    const wakeup = offerWakeupSocket(() => host.onWake())
    this.#wakeupSocketHost = wakeup
    this.#bellPort = bell.port1
    this.callbackPort = events.port1
    this.control = new ControlClient(control.port1, () => {
      this.#watchdog.touch()
      host.beforeCall()
    })
    this.descriptors = new DescriptorExchange(this.control)
    this.bell = new BellListener(mainBell)
    this.#notifier = new BellNotifier(shardBell, (busy) => {
      // A thread that is about to sleep wakes by the socket, one that goes on by the port: see wakeup-socket.ts.
      const socket = busy || doorbell.isRunning ? undefined : wakeup?.socket
      if (socket?.wake() !== true) bell.port1.postMessage(0)
    })
    const shardListener = new BellListener(shardBell)
    this.#watchdog = new Watchdog(
      {
        hasUntakenWork: () => this.control.pendingCalls > 0 || shardListener.hasNotifications,
        probe: () => this.control.announce('ping'),
        examine: () => host.examine(),
        onStuck: (activity) => host.onStuck(activity),
      },
      settings.stuckTimeoutMs,
      clock,
    )
    this.remote = {
      control: control.port2,
      events: events.port2,
      bell: bell.port2,
      wakeupPath: wakeup?.path,
      shardBell,
      mainBell,
    }
  }

  get isReferenced(): boolean {
    return this.#keepAlive > 0
  }

  /** `onClosed`: the shard's end has closed, and its thread ends next. Returns what ends the wait. */
  whenStarted(onStarted: () => void, onClosed: () => void): () => void {
    const onFirst = (): void => {
      this.#bellPort.on('message', () => this.#host.onWake())
      this.#bellPort.on('close', onClosed)
      if (this.#keepAlive === 0) this.#bellPort.unref()
      onStarted()
    }
    this.#bellPort.once('message', onFirst)
    return () => this.#bellPort.off('message', onFirst)
  }

  /** Tells the shard to look at a lane. `busy`: main goes on with more of the same, and does not sleep now. */
  readonly notify = (laneId: number, busy = false): void => {
    this.#watchdog.touch()
    this.#notifier.notify(laneId, busy)
  }

  /** Main has written to one of the shard's sockets itself. */
  readonly wroteInline = (): void => this.#watchdog.touchUnseen()

  /** `on`: it runs modules of the host, which may block its thread, and is watched also while main wants nothing. */
  watchHandlers(on: boolean): void {
    this.#watchdog.watchHandlers(on)
  }

  /** Whether the shard would have to be woken to look at a lane. */
  readonly isShardAsleep = (): boolean => this.#notifier.isListenerParked

  /** Counts who needs the shard: the process waits for it while any does. */
  readonly keepAlive = (on: boolean): void => {
    this.#keepAlive += on ? 1 : -1
    if (this.#keepAlive > 0) this.#bellPort.ref()
    else this.#bellPort.unref()
  }

  /** The shard is lost: pending and later calls reject. */
  lose(error: TransportError): void {
    this.#watchdog.end()
    this.control.lose(error)
    this.#bellPort.close()
    this.#wakeupSocketHost?.close()
    this.descriptors.close()
    this.callbackPort.close()
  }
}
