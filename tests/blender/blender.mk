# Included by the Makefile: the tests in real Blender modules, each in a venv of its own.

# The first is tested whole: the current long-term version. Then the oldest, and the newest.
BLENDER_VERSIONS ?= 5.2.3 4.2.23 5.3.0

# Type stubs of the oldest Blender and of 5.0; the virtual environment has those of the newest.
.venvs/stubs-%: constraints.txt | $(VENV)/.installed-dev
	rm -rf $@
	$(PIP) --no-deps --target $@ fake-bpy-module-$*

.PHONY: blender-envs test-blender test-blender-long

blender-envs: $(VENV)/.installed-dev
	$(VENV)/bin/python tests/blender/environments.py make $(BLENDER_VERSIONS)

test-blender: blender-envs
	SYNERGYFACE_DATA="$(TEST_DATA)" $(SYNERGYFACE) assets fetch --accept-bfm-license
	SYNERGYFACE_DATA="$(TEST_DATA)" \
		$(VENV)/bin/python tests/blender/environments.py test $(BLENDER_VERSIONS)

test-blender-long: export SYNERGYFACE_LONG = 1
test-blender-long: test-blender
