/**
 * The fault campaign: traffic over every transport at once, and faults drawn from a seed, one after the other, until
 * each is over. See docs/chaos.md.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { NO_FRAMES } from '../chaos/frame-book.js'
import type { TargetName } from '../chaos/plan.js'
import type { FaultCounts, FromHost, HostConfig, HostReport } from '../chaos/host-report.js'

export interface ChaosPlan {
  readonly seed: number
  readonly faults: number
  readonly targets: readonly TargetName[]
  /** An empty folder for the campaign alone. */
  readonly folder: string
  /** How long one fault may take, in milliseconds. */
  readonly watchdogMs: number
  /** Called after each fault that is over. */
  readonly onFault?: (done: number) => void
}

export interface ChaosRow {
  readonly kind: string
  readonly injected: number
  readonly recovered: number
  readonly longestMs: number
  readonly counts: FaultCounts
}

export interface ChaosReport {
  readonly seed: number
  readonly faults: number
  readonly targets: readonly TargetName[]
  readonly recovered: number
  readonly rows: readonly ChaosRow[]
  /** Undefined: the host did not get that far. */
  readonly host: HostReport | undefined
  /** Socket files that the host has left behind. */
  readonly filesLeft: readonly string[]
  /** Everything that is not as it should be, in words; the campaign has held if this is empty. */
  readonly failures: readonly string[]
}

const MIB = 2 ** 20
/** What 1,000 faults may leave in the host's own heap and buffers, and in what the allocator keeps. */
const MOST_OWN_BYTES = 24 * MIB
const MOST_RESIDENT_BYTES = 192 * MIB
/** Enough for everything that is open at once, few enough to be used up at once. */
const OPEN_FILES = 256

const program = fileURLToPath(new URL('../chaos/host.js', import.meta.url))

export async function runChaos(plan: ChaosPlan): Promise<ChaosReport> {
  const { seed, faults, targets, folder, watchdogMs } = plan
  const rows = new Map<string, ChaosRow>()
  const failures: string[] = []
  let recovered = 0
  let report: HostReport | undefined
  await host({ seed, faults, targets, folder, watchdogMs }, failures, (message) => {
    switch (message.kind) {
      case 'striking':
        rows.set(message.label, strikeRow(rows.get(message.label), message.label))
        break
      case 'fault':
        recovered++
        rows.set(message.label, addTo(strikeRow(rows.get(message.label), message.label, 0), message))
        plan.onFault?.(recovered)
        break
      case 'report':
        ;({ report } = message)
        break
      case 'failed':
        failures.push(`${message.message} (${message.step})\n${message.state}`)
    }
  })
  const filesLeft = fs.readdirSync(folder).filter((name) => !name.endsWith('.record'))
  failures.push(...judge(report, filesLeft, recovered, faults))
  return {
    seed,
    faults,
    targets,
    recovered,
    rows: [...rows.values()].sort((a, b) => a.kind.localeCompare(b.kind)),
    host: report,
    filesLeft,
    failures,
  }
}

function judge(
  report: HostReport | undefined,
  filesLeft: readonly string[],
  recovered: number,
  faults: number,
): string[] {
  const wrong: string[] = []
  if (recovered < faults) wrong.push(`${String(recovered)} of ${String(faults)} faults are over`)
  if (filesLeft.length > 0) wrong.push(`files left behind: ${filesLeft.join(', ')}`)
  if (report === undefined) return [...wrong, 'the host did not report']
  wrong.push(...report.complaints)
  if (report.counts.wrong > report.complaints.length)
    wrong.push(`${String(report.counts.wrong)} frames have a wrong outcome`)
  if (report.leaked !== 0) wrong.push(`the engine leaked ${String(report.leaked)}`)
  if (report.ownGrowth > MOST_OWN_BYTES) wrong.push(`heap and buffers grew by ${String(report.ownGrowth)} bytes`)
  if (report.residentGrowth > MOST_RESIDENT_BYTES)
    wrong.push(`resident memory grew by ${String(report.residentGrowth)} bytes`)
  return wrong
}

/** Runs the host until it ends, which it must do by itself. */
function host(config: HostConfig, failures: string[], hear: (message: FromHost) => void): Promise<void> {
  const command = [process.execPath, '--expose-gc', program, JSON.stringify(config)]
  const limited = ['-c', `ulimit -n ${String(OPEN_FILES)}; exec "$@"`, 'sh', ...command]
  const child = spawn('/bin/sh', limited, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return new Promise((resolve, reject) => {
    let isLate = false
    // Even its own watchdog has not reported: its event loop is stuck, or something keeps it alive.
    const kill = (): void => {
      isLate = true
      child.kill('SIGKILL')
    }
    let timer = setTimeout(kill, 2 * config.watchdogMs)
    child.on('message', (message) => {
      clearTimeout(timer)
      timer = setTimeout(kill, 2 * config.watchdogMs)
      hear(message as FromHost)
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      if (isLate) failures.push('the host said nothing any more, or did not end by itself, and was killed')
      else if (code !== 0) failures.push(`the host ended with ${signal ?? `code ${String(code)}`}`)
      resolve()
    })
  })
}

const NOTHING: FaultCounts = { ...NO_FRAMES, losses: 0, connectionsReplaced: 0 }

/** The row with more faults counted. */
function strikeRow(row: ChaosRow | undefined, kind: string, more = 1): ChaosRow {
  const { injected = 0, recovered = 0, longestMs = 0, counts = NOTHING } = row ?? {}
  return { kind, injected: injected + more, recovered, longestMs, counts }
}

function addTo(row: ChaosRow, { ms, counts }: Extract<FromHost, { kind: 'fault' }>): ChaosRow {
  const sum: Record<keyof FaultCounts, number> = { ...row.counts }
  for (const kind of Object.keys(sum) as (keyof FaultCounts)[]) sum[kind] += counts[kind]
  return {
    ...row,
    recovered: row.recovered + 1,
    longestMs: Math.max(row.longestMs, ms),
    counts: sum,
  }
}
