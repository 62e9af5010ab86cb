"""Statements for tests of the read-only SQL interface, one a line: attacks, and what people ask."""

# {f} is a file that holds the secret, {o} one that must not come to be.
READS_A_FILE = """
select file('{f}')
select FILE('{f}')
select `file`('{f}')
select "file"('{f}')
select file( '{f}' ) -- a comment
/* a comment */ select/**/file('{f}')
select * apply file from (select '{f}' as a)
select * apply(x -> file(x)) from (select '{f}' as a)
select columns('a') apply file from (select '{f}' as a)
select q.* apply file from (select '{f}' as a) as q
select q.columns('a') apply file from (select '{f}' as a) as q
select columns(a) apply file from (select '{f}' as a)
select * except (b) apply file from (select '{f}' as a, 1 as b)
select * replace (file(a) as a) from (select '{f}' as a)
select arrayMap(file, ['{f}'])
select arrayMap(`FILE`, ['{f}'])
select arrayMap(f, ['{f}']), file as f
with file as f select arrayMap(f, ['{f}'])
with (x -> file(x)) as g select g('{f}')
with x -> file(x) as g select arrayMap(g, ['{f}'])
select arrayFold((a, x) -> file(x), ['{f}'], '')
select mapApply((k, v) -> (k, file(v)), map('a', '{f}'))
select 1 where file('{f}') != ''
select (select file('{f}'))
select groupArray(file(a)) from (select '{f}' as a)
select max(1) over (partition by file('{f}'))
select max(1) over w window w as (order by file('{f}'))
select 1 order by file('{f}')
select 1 limit length(file('{f}'))
select 1 limit 1 by file('{f}')
select number from numbers(3) order by number with fill to length(file('{f}'))
select number from numbers(3) order by number with fill interpolate (number as length(file('{f}')))
select 1 group by file('{f}')
select count() having file('{f}') = ''
select * from numbers(length(file('{f}')))
select quantile(length(file('{f}')))(1)
select v from t prewhere file('{f}') != ''
select * from t array join [file('{f}')] as z
select 1 from t qualify file('{f}') != ''
select 1 from t inner join t as u on file('{f}') = u.pop
select case file('{f}') when '' then 1 else 2 end
select if(1, file('{f}'), '')
select 1 in (select file('{f}'))
select 1 union all select length(file('{f}'))
select 1 except select length(file('{f}'))
with a as (select file('{f}') as x) select * from a
with recursive r as (select file('{f}') as x union all select x from r where 0) select * from r
select * from view(select file('{f}'))
select * from values('a String', file('{f}'))
explain select file('{f}')
explain pipeline select file('{f}')
explain syntax select file('{f}')
explain query tree select file('{f}')
explain estimate select file('{f}')
describe (select file('{f}'))
desc table (select * from file('{f}'))
describe file('{f}')
describe table file('{f}', 'LineAsString')
show tables where file('{f}') = ''
show columns from t where file('{f}') = ''
select * from file('{f}', 'LineAsString')
select * from `file`('{f}', 'LineAsString')
select 1 in file('{f}', 'LineAsString')
select * from fileCluster('default', '{f}', 'LineAsString')
select * from format('LineAsString', file('{f}'))
select * from '{f}'
select * from `{f}`
select * from executable('cat', 'LineAsString', 'a String')
select * from filesystem('/')
select * from sqlite('{f}', 'a')
select * from url('file://{f}', 'LineAsString')
select * from eval('select file(''{f}'')')
select * from viewIfPermitted(select file('{f}') else null('x String'))
select formatRow('Template', file('{f}'))
select 1; select file('{f}')
select 1;\\nselect file('{f}');
select formatQuerySingleLine(file('{f}'))
"""
WRITES = """
select 1 into outfile '{o}'
select 1 into outfile '{o}' format TSV
select 1 into outfile '{o}' truncate
select 1 into outfile '{o}' append
select 1 into outfile '{o}' and stdout
select 1 into outfile '{o}' compression 'gzip'
select 1 format TSV into outfile '{o}'
(select 1) into outfile '{o}'
select 1 union all select 2 into outfile '{o}'
explain ast select 1 into outfile '{o}'
explain select 1 into outfile '{o}'
show tables into outfile '{o}'
show databases into outfile '{o}'
show columns from t into outfile '{o}'
desc t into outfile '{o}'
desc (select 1) into outfile '{o}'
desc (select 1 into outfile '{o}')
exists table t into outfile '{o}'
show create table t into outfile '{o}'
insert into function file('{o}') select 1
insert into t select now(), 'x', 1, []
insert into t values (now(), 'x', 1, [])
create table u (a UInt8) engine = Memory
create view u as select 1
create function f as x -> x
create temporary table u (a UInt8)
drop table t
drop database popscope
truncate table t
alter table t delete where 1
alter table t update v = 1 where 1
delete from t where 1
optimize table t final
rename table t to u
exchange tables t and t
attach table t
detach table t
undrop table t
backup table t to File('{o}')
explain ast drop table t
explain insert into t select 1
select 1; drop table t
explain ast select 1; drop table t
parallel with select 1
select 1 parallel with drop table t
begin transaction
select * from sqlite('{o}', 'b')
"""
CONTROLS = """
set readonly = 0
set max_execution_time = 0
select 1 settings readonly = 0
select 1 settings max_execution_time = 0
select * from (select 1 settings max_threads = 64)
select 1 format JSON settings readonly = 0
explain select 1 settings readonly = 0
use system
kill query where 1
system shutdown
system flush logs
system reload config
grant all on *.* to default
create user u
check table t
execute immediate 'select 1'
select sleep(3)
select sleepEachRow(1) from numbers(100)
select arrayMap(sleep, [3])
select throwIf(1)
select aggThrow(0.5)(1)
select aggThrowIf(0.5)(1, 1)
select fuzzQuery('select 1')
select * from fuzzQuery('select 1')
select multiMatchAny('a', ['a'])
select arrayReduce('aggThrow(0.5)', [1])
select initializeAggregation('aggThrow', 1)
select arrayReduceInRanges('aggThrow(1)', [(1, 1)], [1])
select arrayReduce(concat('agg', 'Throw(0.5)'), [1])
select arrayReduce()
select groupFormat('Template')(1)
select arrayReduce('groupFormat(\'Template\')', [1])
select editDistance(repeat('a', 60000), repeat('b', 60000))
select levenshteinDistance('a', 'b')
select arraySimilarity([1], [1], [1], [1])
select 1 union all select 1 settings readonly = 0
with x as (select 1 settings max_execution_time = 0) select * from x
select * from view(select 1 settings readonly = 0)
select * from t stream
"""
LOOKS_ELSEWHERE = """
select * from system.disks
select * from `system`.`disks`
select * from "system"."processes"
select * from system . query_log
from system.disks select *
select * from `system.disks`
select * from SYSTEM.disks
select * from t, system.disks
select * from t join system.disks on 1
select 'a' in system.disks
select in('a', system.disks)
select notIn('a', `system`.`disks`)
with system.disks as d select 'a' in d
select 'a' in (select name from system.disks)
with x as (select * from system.disks) select * from x
select system.disks.path from system.disks
explain select * from system.disks
desc system.disks
desc table `system`.disks
show create table system.disks
exists system.disks
select * from other.t
select * from a.b.c
select * from merge('system', 'disks')
select 1 in merge('system', 'disks')
select * from loop(system, disks)
select * from cluster('default', 'system', 'one')
select * from remote('127.0.0.1', 'system', 'one')
select * from url('http://127.0.0.1/', 'LineAsString')
select * from mysql('127.0.0.1:3306', 'a', 'b', 'c', 'd')
select * from postgresql('127.0.0.1:5432', 'a', 'b', 'c', 'd')
select * from python('x')
select * from Python(x)
select * from dictionary('d')
select * from mergeTreeIndex('popscope', 't')
select * from viewExplain('EXPLAIN AST', '', (select 1))
select * from input('a UInt8')
select * from {d:Identifier}.{t:Identifier}
select * from {t:Identifier}
select dictGet('a', 'b', 1)
select joinGet('system.disks', 'a', 'b')
select hasColumnInTable('127.0.0.1', 'system', 'disks', 'path')
select getServerSetting('max_connections')
select getSetting('max_threads')
select getMacro('x')
select filesystemAvailable()
select getOSKernelVersion()
select showCertificate()
select addressToLine(1)
select aiGenerate('x')
select evalMLMethod(1, 2)
select naiveBayesClassifier('m', 'x')
select regionToName(toUInt32(1))
select x.file('a') from t as x
show processlist
show settings like 'a'
show clusters
show filesystem caches
select * from default.secret
select '1' in default.secret
select 1 from t where pop in (select * from `default`.`secret`)
exists default.secret
exists table `default`.secret
desc default.secret
show create table default.secret
select * from generateRandom('a String', 1, 1000000, 1000000) limit 1000000
select * from null('a UInt8')
select * from format('CSV', '1')
show grants
show access
explain table override merge('a', 'b') columns (x UInt8)
explain current transaction
"""

ALLOWED = """
select 1
select 1;
(select 1)
from t select v
select * from t
select * from popscope.t
select t.v, q.* from t inner join (select * from t) as q on t.v = q.v
select count(), sumIf(v, v > 1), quantile(0.9)(v), SUM(v), uniqExactArray(h), sumForEach(h) from t
select argMax(v, ts), median(v), topK(3)(pop), groupArray(10)(v), quantilesTDigest(0.5)(v)[1] from t
select simpleLinearRegression(v, v), avgOrNull(v), countDistinctIf(v, 1) from t
with a as (select 1 as x) select x from a
with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select * from r
select * except v, columns('^v') apply max from t group by all limit 1
select * except (v, h) apply(x -> toString(x)) from t
select sum(v) over (partition by pop order by v rows between 2 preceding and current row) from t
select lagInFrame(v) over w, row_number() over w, lead(v) over w from t window w as (order by v)
select v from t qualify row_number() over (order by v) = 1
select toStartOfInterval(ts, interval 1 minute) as m, sum(v) from t group by m 
select v from t order by v with fill step 2
select v from t order by v desc nulls last limit 3 with ties
select v from t prewhere v > 1 where v < 5 limit 1 by pop limit 3 offset 1
select distinct on (pop) pop from t
select pop, sum(v) from t group by pop with rollup
select pop, sum(v), grouping(pop) from t group by grouping sets ((pop), ())
select * from t array join h as hh
select v in (1, 2), v not in (select 1), v in (select v from popscope.t), has(h, 1) from t
select case pop when 'p1' then 1 else 2 end, case when v = 1 then 2 end, if(v = 1, 2, 3) from t
select cast(v as String), v::Float64, h[1], (1, 2).1, not v, -v, v between 1 and 2 from t
select date '2020-01-01', now() - interval 1 hour, formatDateTime(ts, '%Y') from t
select exists(select 1), greatest(1, 2), pop || 'b', trim(pop), substring(pop, 1, 2) from t
select arrayMap(x -> x + 1, h), arrayJoin(h), map('a', 1)['a'], [1, 2], tuple(1, 'a') from t
select dateDiff('second', ts, now()), toIPv4('1.2.3.4'), JSONExtractString('{}', 'a') from t
select formatReadableSize(v), bar(v, 0, 9), cityHash64(pop), transform(v, [1], [2]) from t
select 1 union all select 2
select 1 intersect select 1 except select 2
select * from numbers(3)
select * from generate_series(1, 3)
select * from values('a UInt8', 1, 2)
select * from view(select 1)
select * from system.one
select system.one.dummy from system.one
select name, value from system.settings
select name, engine from system.tables where database = 'popscope'
select table_name from information_schema.tables
select displayName(), version(), revision(), timezone()
select hostName(), uptime(), currentDatabase(), currentUser(), queryID()
select {a:UInt8}, {b:String}, {c:Array(String)}
select 1 as file, 'x' as path
select q.file from (select 1 as file) as q
select default from (select 1 as default)
select arrayReduce('quantile(0.5)', h), arrayReduce('sumIf', [1], [1]) from t
select v from t order by v limit -1
select v from t order by v limit 0.5
select * from t as system asof join t as disks using (pop, v)
show tables
show tables from system like 'one'
show databases
show columns from t
show index from t
show full tables
show create table t
show create table popscope.t
exists t
exists table popscope.nothing
desc t
DESCRIBE TABLE popscope.t FORMAT JSON
describe table `popscope`.`t`
desc (select 1 as a)
describe table (select * from t) format TSV
explain select 1
explain pipeline graph = 1 select sum(v) from t
explain indexes = 1, header = 1 select * from t
explain query tree select 1
select 1 format JSON
select 1 -- file('x')
select 'file(''x'') into outfile ''y''; drop table t'
"""


def lines(*texts: str) -> list[str]:
    return [line for text in texts for line in text.strip().splitlines()]
