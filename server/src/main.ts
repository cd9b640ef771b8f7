/** `postern …` */
import { loadConfig } from './config.ts'
import { startServing } from './start/index.ts'

await startServing(loadConfig(process.env), (text) => process.stdout.write(text))
