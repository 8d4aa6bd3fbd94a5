/*
 * Preloaded into a measured process: on SIGUSR2 it prints how much processor time it has used, all threads together, as
 * one line of JSON among its log lines.
 */
process.on('SIGUSR2', () => {
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ cpuMs: (user + system) / 1000 }));
});
