// pgboss.js - pg-boss in process: jobs made one by one and in batches, fetched and completed one by one and by the hundred.
import PgBoss from 'pg-boss'
import { input, main, makePool, measure, requireDurable } from './common.js'

const LANES = 24
const ARRAY = 1000
const BATCH = 100
const QUEUE = 'bench'

async function start() {
	await requireDurable(makePool(1))
	const boss = new PgBoss({ max: LANES + 2, supervise: false, schedule: false })
	boss.on('error', () => {})
	await boss.start()
	await boss.createQueue(QUEUE)
	return boss
}

async function create() {
	const boss = await start()
	await measure(LANES, async () => (await boss.send(QUEUE, input)) ? 1 : 0)
}

function makeJobs() {
	return Array.from({ length: ARRAY }, () => ({ name: QUEUE, data: input }))
}

async function createBatch() {
	const boss = await start()
	const jobs = makeJobs()
	await measure(4, async () => {
		await boss.insert(jobs)
		return ARRAY
	})
}

async function preload() {
	const boss = await start()
	for (let left = Number(process.argv[3]); left > 0; left -= ARRAY) await boss.insert(makeJobs())
}

async function work(lanes, batchSize) {
	const boss = await start()
	await measure(lanes, async () => {
		const jobs = await boss.fetch(QUEUE, { batchSize })
		if (jobs.length) await boss.complete(QUEUE, jobs.map((job) => job.id))
		return jobs.length
	})
}

await main({
	create,
	create_batch: createBatch,
	preload,
	work: () => work(8, 1),
	work_batch: () => work(4, BATCH),
}, 'pgboss.js')
