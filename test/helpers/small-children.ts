/** Child processes for tests: small, and observed through the system. */
import fs from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { ChildEndpoint } from '../../api/index.js'
import { GUARDIAN_NAME } from '../../engine/process/guardian-script.js'
import { processResources } from './process-resources.js'

export type ChildChoices = Omit<Partial<ChildEndpoint>, 'kind' | 'command' | 'args'>

/** A script of sh; what follows it are its arguments. */
export function sh(script: string, choices: ChildChoices = {}, args: readonly string[] = []): ChildEndpoint {
  return { kind: 'stdio', command: '/bin/sh', args: ['-c', script, 'sh', ...args], ...choices }
}

/** A program of test/fixtures. */
export function nodeProgram(fixture: string, args: readonly string[], choices: ChildChoices = {}): ChildEndpoint {
  const path = fileURLToPath(new URL(`../fixtures/${fixture}.js`, import.meta.url))
  const env = { ...process.env, NODE_OPTIONS: undefined }
  return { kind: 'stdio', command: process.execPath, args: [path, ...args], env, ...choices }
}

/** False also for a process that has ended and was not reaped. */
export function isRunning(pid: number): boolean {
  if (process.platform === 'win32') return answers(pid)
  try {
    const stat = fs.readFileSync(`/proc/${String(pid)}/stat`, 'latin1')
    return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '')
  } catch {
    return false
  }
}

/** Whether this process has it, living or not reaped. */
export function isThere(pid: number): boolean {
  return fs.existsSync(`/proc/${String(pid)}`)
}

/** The system lists it. */
function answers(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** The children of this process that are an engine's children, so not its guardians. Linux only. */
export function countChildren(): number {
  return processResources().children - guardiansOf(process.pid).length
}

/** The guardians that a process has started. Linux only. */
export function guardiansOf(pid: number): number[] {
  return childrenOf(pid).filter((child) => readOr(`/proc/${String(child)}/cmdline`).includes(GUARDIAN_NAME))
}

/** Also those that have ended and were not reaped. Linux only. */
export function childrenOf(pid: number): number[] {
  return fs
    .readdirSync(`/proc/${String(pid)}/task`)
    .flatMap((thread) => readOr(`/proc/${String(pid)}/task/${thread}/children`).split(' '))
    .filter(Boolean)
    .map(Number)
}

function readOr(path: string): string {
  try {
    return fs.readFileSync(path, 'latin1')
  } catch {
    // It has ended since.
    return ''
  }
}
