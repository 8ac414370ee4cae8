/** Finds out what there is to know of this process and its system. */
import fs from 'node:fs'
import os from 'node:os'
import process from 'node:process'
import { localFolder, longestLocalName } from '../../endpoint.js'
import { engineSchema } from '../../engine-options.js'
import type { Facts, Permission, RuntimeFolder } from './facts.js'
import { tryAll } from './trials.js'

export async function gather(): Promise<Facts> {
  return {
    runtime: runtime(),
    node: process.versions.node,
    system: process.platform,
    arch: process.arch,
    hasSharedArrayBuffer: typeof SharedArrayBuffer === 'function',
    processors: os.availableParallelism(),
    defaultShards: engineSchema.entries.shards.default,
    descriptors: descriptors(),
    runtimeFolder: process.platform === 'win32' ? undefined : runtimeFolder(),
    permissions: permissions(),
    activation: activation(),
    hasShell: process.platform === 'win32' || isThere('/bin/sh'),
    trials: await tryAll(),
  }
}

function runtime(): Facts['runtime'] {
  const { versions } = process as { readonly versions: Readonly<Record<string, string | undefined>> }
  for (const name of ['Bun', 'Deno', 'Electron'] as const) {
    const version = versions[name.toLowerCase()]
    if (version !== undefined) return { name, version }
  }
  return { name: 'Node', version: process.versions.node }
}

/** Node has raised the soft limit as far as it may. */
function descriptors(): Facts['descriptors'] {
  try {
    const limits = fs.readFileSync('/proc/self/limits', 'utf8')
    const [, soft = '', hard = ''] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? []
    if (soft !== '') return { soft: limit(soft), hard: limit(hard) }
  } catch {
    // Only Linux has it.
  }
  try {
    const { userLimits } = process.report.getReport() as {
      readonly userLimits?: { readonly open_files?: { readonly soft: number | string; readonly hard: number | string } }
    }
    const files = userLimits?.open_files
    return files === undefined ? undefined : { soft: limit(files.soft), hard: limit(files.hard) }
  } catch {
    return undefined
  }
}

/** One that is not a number is `unlimited`. */
function limit(value: string | number): number {
  const number = Number(value)
  return Number.isNaN(number) ? Infinity : number
}

function runtimeFolder(): RuntimeFolder {
  const { path, base } = localFolder('local:')
  return {
    path,
    variable: process.env['XDG_RUNTIME_DIR'],
    isUsed: base !== undefined,
    stat: statOf(path),
    nameBytes: longestLocalName(path),
  }
}

function statOf(path: string): RuntimeFolder['stat'] {
  try {
    const { uid, mode } = fs.lstatSync(path)
    return { isOwn: uid === process.geteuid?.(), mode: mode & 0o777 }
  } catch {
    return undefined
  }
}

const FLAGS: Readonly<Record<string, string>> = {
  worker: '--allow-worker',
  child: '--allow-child-process',
  addon: '--allow-addons',
  net: '--allow-net',
}

function permissions(): readonly Permission[] | undefined {
  const { permission } = process as { readonly permission?: { has(name: string): boolean } }
  if (permission === undefined) return undefined
  return Object.entries(FLAGS).flatMap(([name, flag]) => {
    // Earlier versions of Node permit what they do not know.
    if (!process.allowedNodeEnvironmentFlags.has(flag)) return []
    return [{ name, flag, isGranted: permission.has(name) }]
  })
}

/** https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html */
function activation(): Facts['activation'] {
  const { LISTEN_FDS: fds, LISTEN_PID: pid } = process.env
  if (fds === undefined) return undefined
  return { count: Number(fds) || 0, isForUs: pid === String(process.pid) }
}

function isThere(path: string): boolean {
  try {
    return fs.existsSync(path)
  } catch {
    return false
  }
}
