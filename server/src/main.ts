/** `postern …`: the command line, with `serve` among its commands. */
import { openDeployment } from './app.ts'
import { loadConfig } from './config.ts'
const config = loadConfig(process.env)
const d = await openDeployment(config, { setUp: true, upkeep: true })
await d.server.listen({ port: config.port, host: config.host })
console.log(d.firstKeys)
