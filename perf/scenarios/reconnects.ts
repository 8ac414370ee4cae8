/**
 * Losses of a reconnecting connection. A peer in a separate process (plain `net`) cuts the connection on order. As soon
 * as the loss is reported, a frame is sent. The reconnect succeeds if that frame comes back within the limit.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createEngine, type LossReport } from '../../api/index.js'

export interface ReconnectsPlan {
  readonly folder: string
  readonly losses: number
  /** How long the first echo after a loss may take, milliseconds. */
  readonly limitMs: number
}

export interface ReconnectsResult {
  readonly losses: number
  readonly succeeded: number
  /** From the report of the loss to the first echo. */
  readonly meanMs: number
  readonly maxMs: number
  /** Frames that the reports and the last connection do not account for; anything but 0 is a defect. */
  readonly unaccounted: number
  /** Whether every resource was released. */
  readonly released: boolean
}

const program = fileURLToPath(new URL('../programs/cutting-peer.js', import.meta.url))

export async function runReconnects(plan: ReconnectsPlan): Promise<ReconnectsResult> {
  const path = `${plan.folder}/reconnects.sock`
  const peer = fork(program, [path])
  const gone = new Promise((resolve) => peer.once('exit', resolve))
  const engine = await createEngine({ shards: 1 })
  try {
    await new Promise((resolve, reject) => {
      peer.once('message', resolve)
      peer.once('error', reject)
      peer.once('exit', () => {
        reject(new Error('the peer did not start'))
      })
    })
    const reports: LossReport[] = []
    let onLoss = (): void => undefined
    const connection = engine.transport(`unix:${path}`).reconnecting({
      backoff: { initialMs: 1 },
      // Each loss counts as the first one, so that no pause grows.
      stableMs: 0,
      onLoss: (report) => {
        reports.push(report)
        onLoss()
      },
    })
    const lap = async (text: string): Promise<boolean> => {
      connection.send(text)
      try {
        return String(await connection.receive({ timeoutMs: plan.limitMs })) === text
      } catch {
        return false
      }
    }
    await lap('first')
    let succeeded = 0
    let totalMs = 0
    let maxMs = 0
    for (let i = 0; i < plan.losses; i++) {
      const lost = new Promise<void>((resolve) => {
        onLoss = resolve
      })
      connection.send('cut')
      await lost
      const start = performance.now()
      if (!(await lap(`frame ${String(i)}`))) continue
      const ms = performance.now() - start
      succeeded++
      totalMs += ms
      maxMs = Math.max(maxMs, ms)
    }
    const { framesSent } = connection.info
    const { code } = await connection.close()
    let accounted = 0
    for (const { handedOver, unconfirmed, dropped } of reports)
      accounted += handedOver + unconfirmed.length + dropped.length
    // The last connection ended cleanly with the one frame that it was given.
    if (code === 'OK') accounted++
    const { leaked } = await engine.close()
    return {
      losses: reports.length,
      succeeded,
      meanMs: totalMs / Math.max(1, succeeded),
      maxMs,
      unaccounted: framesSent - accounted,
      released: leaked === 0,
    }
  } finally {
    await engine.close({ graceMs: 0 })
    if (peer.connected) peer.disconnect()
    await gone
  }
}
