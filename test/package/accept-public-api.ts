/** Writes the public API down as it is now. `git diff` then says what has changed. */
import fs from 'node:fs'
import { publicApiFile, readPublicApi } from './public-api.js'

fs.writeFileSync(publicApiFile, readPublicApi())
