#!/usr/bin/env bash
# Takes the programs from a folder or a release archive, or builds them from the source of this
# action. Puts them on the path of the next steps.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/messages.sh"

# The checksum has the form of a line of SHA256SUMS.
verify() {
	local check=(shasum -a 256)
	if command -v sha256sum >/dev/null; then check=(sha256sum); fi
	local found
	found=$("${check[@]}" <"$1")
	found=${found%% *}
	local want
	want=$(printf '%s' "$INPUT_PROGRAMS_SHA256" | tr A-F a-f)
	[ "$found" = "$want" ] || fail "programs: want the SHA-256 $want, got $found"
}

bin=$INPUT_FOLDER/bin
mkdir -p "$bin"
if [ -z "$INPUT_PROGRAMS" ]; then
	command -v go >/dev/null || fail 'want Go on the path to build the programs; or give programs'
	source=$(cd "$(dirname "$0")/../../.." && pwd)
	go build -C "$source" -o "$bin/" ./fakeentra/cmd/fakeentra ./conformance/cmd/mcp-auth-conformance
elif [ -d "$INPUT_PROGRAMS" ]; then
	bin=$(cd "$INPUT_PROGRAMS" && pwd)
else
	archive=$INPUT_PROGRAMS
	if [[ $archive == https://* ]]; then
		archive=$INPUT_FOLDER/${INPUT_PROGRAMS##*/}
		curl -fsSL --proto '=https' --retry 3 --max-time 300 --max-filesize 500000000 \
			--output "$archive" --url "$INPUT_PROGRAMS" || fail "programs: cannot fetch $INPUT_PROGRAMS"
	fi
	[ -f "$archive" ] || fail "programs: want a folder, an archive or an https URL, got $INPUT_PROGRAMS"
	[ -z "$INPUT_PROGRAMS_SHA256" ] || verify "$archive"
	case $archive in
	*.tar.gz) tar -xzf "$archive" --strip-components 1 -C "$bin" || fail "programs: cannot unpack $archive" ;;
	*.zip) unzip -q -j "$archive" -d "$bin" || fail "programs: cannot unpack $archive" ;;
	*) fail "programs: want an archive that ends with .tar.gz or .zip, got $INPUT_PROGRAMS" ;;
	esac
fi
for program in fakeentra mcp-auth-conformance; do
	[ -x "$bin/$program" ] || [ -x "$bin/$program.exe" ] || fail "programs: there is no program $program in $bin"
done
printf '%s\n' "$bin" >>"$GITHUB_PATH"
