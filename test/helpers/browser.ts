/** A browser for the tests of pages. No package installs it: where there is none, such tests are skipped. */
import fs from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { chromium, type Browser } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
/** It talks to nobody. */
const ARGUMENTS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]

/** In CI, where a browser that is missing is a mistake: SYMPHONY_TEST_BROWSER=required. */
const isRequired = process.env['SYMPHONY_TEST_BROWSER'] === 'required'

const executable = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  .find((path) => fs.existsSync(path))

/** The caller closes it. */
export async function launchBrowser(): Promise<Browser> {
  if (executable === undefined) throw new Error(`no ${NAMES.join(', ')} in PATH: apt-get install chromium`)
  return chromium.launch({ executablePath: executable, args: ARGUMENTS })
}

/** A test that needs the browser. */
export function inBrowser(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (executable !== undefined || isRequired) test.serial(title, body)
  else test.skip(`${title} (there is no Chromium here)`, body)
}
