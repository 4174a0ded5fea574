// graphile.js - graphile-worker in process: jobs made one by one and in batches, worked off one by one and through its
// local queue, with the settings that its own performance test has.
import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import { input, main, makePool, measure, report, requireDurable, seconds } from './common.js'

const LANES = 24
const ARRAY = 1000
const WARM_UP_MS = 500

const logger = new Logger(() => () => {})
const pool = makePool(LANES + 2)

async function utils() {
	await requireDurable(pool)
	const made = await makeWorkerUtils({ pgPool: pool, logger })
	await made.migrate()
	return made
}

async function create() {
	const { addJob } = await utils()
	await measure(LANES, async () => {
		await addJob('bench', input)
		return 1
	})
}

async function createBatch() {
	const { addJobs } = await utils()
	const jobs = Array.from({ length: ARRAY }, () => ({ identifier: 'bench', payload: input }))
	await measure(8, async () => (await addJobs(jobs)).length)
}

async function preload() {
	const { addJobs } = await utils()
	const jobs = Array.from({ length: ARRAY }, () => ({ identifier: 'bench', payload: input }))
	for (let left = Number(process.argv[3]); left > 0; left -= ARRAY) await addJobs(jobs)
}

async function left() {
	const { rows } = await pool.query('SELECT count(*)::int AS count FROM graphile_worker._private_jobs')
	return rows[0].count
}

// A job that is done is a row that is gone: what counts is what was gone when the runner had stopped.
async function work(settings) {
	let done = 0
	await utils()
	const runner = await run({
		pgPool: pool,
		logger,
		noHandleSignals: true,
		taskList: { bench: () => { done++ } },
		preset: { worker: { concurrentJobs: LANES, ...settings } },
	})
	await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
	const before = done
	const start = performance.now()
	await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
	const units = done - before
	const took = (performance.now() - start) / 1000
	await runner.stop()
	report({ requests: units, units, seconds: took, ranEmpty: (await left()) === 0, before })
}

await main({
	create,
	create_batch: createBatch,
	preload,
	work: () => work({}),
	work_batch: () => work({ localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }),
}, 'graphile.js')
