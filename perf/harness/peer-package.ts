/** Packages of other programs to compare with, which are there once somebody has run `npm ci --prefix perf/peers`. */
import { createRequire } from 'node:module'
import { isRepository } from '../options/program.js'

export const INSTALL_PEERS = isRepository ? 'npm ci --prefix perf/peers' : 'npm install fastify undici'

const PEERS = new URL('../../../perf/peers/package.json', import.meta.url)

export function isInstalled(name: string): boolean {
  try {
    createRequire(PEERS).resolve(name)
    return true
  } catch {
    return false
  }
}

/** What it exports, which the caller knows. @throws if it is not installed */
export function requirePackage(name: string): unknown {
  return createRequire(PEERS)(name)
}
