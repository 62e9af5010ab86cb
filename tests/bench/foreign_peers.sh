#!/bin/bash
# Fetch the newest Prometheus and VictoriaMetrics of Debian's suites into build/peers, without installing
# them: the machine's own release stays as it is. Peers of the benchmarks only.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=build/peers/apt
mkdir -p $work/lists/partial $work/cache/archives/partial
uri=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -1)
key=$(sed -n 's/^Signed-By: *//p' /etc/apt/sources.list.d/debian.sources | head -1)
printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\nSigned-By: %s\n' "$uri" "$key" >$work/peers.sources
options=(-o "Dir::Etc::sourcelist=$PWD/$work/peers.sources" -o Dir::Etc::sourceparts=-
	-o "Dir::State::lists=$PWD/$work/lists" -o "Dir::Cache=$PWD/$work/cache" -o Dir::State::status=/dev/null)
apt-get "${options[@]}" update
for package in victoria-metrics prometheus; do
	(cd $work && apt-get "${options[@]}" download "$package")
	dpkg -x $work/"$package"_*.deb build/peers
done
