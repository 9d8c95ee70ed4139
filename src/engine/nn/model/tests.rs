use super::*;

fn count(value: u64) -> Count {
    Count::new(value).unwrap()
}

/// The messages for the mistakes in a section, on data that needs 10 outputs.
fn mistakes(toml: &str) -> Vec<String> {
    NetworkSection::read(toml).model(Some(10)).unwrap_err().into_iter().map(|mistake| mistake.message).collect()
}

fn settings(model: &Model) -> Vec<String> {
    let mut settings = Settings::default();
    model.settings(&mut settings);
    settings.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn affine(outputs: usize) -> LayerSpec {
    LayerSpec::Affine { outputs, bias: true }
}

#[test]
fn a_stack_stands_for_a_list_of_layers() {
    let tanh = LayerSpec::Activation(Activation::Tanh);
    let half = LayerSpec::Dropout(Dropout { ratio: Ratio::new(0.5).unwrap(), scaling: DropoutScaling::Inverted });
    let layers = |toml| Model::read(toml).layers(10);
    assert_eq!(layers("hidden = []\nactivation = 'tanh'"), [affine(10)]);
    assert_eq!(layers("hidden = [100, 50]\nactivation = 'tanh'"), [affine(100), tanh, affine(50), tanh, affine(10)]);
    assert_eq!(
        layers(
            "hidden = [7]\nactivation = 'tanh'\nbatch_norm = true\noutput = 'tanh'\n\
             dropout = { ratio = 0.5, scaling = 'inverted' }"
        ),
        [affine(7), LayerSpec::BatchNorm, tanh, half, affine(10), tanh]
    );
    let bare = LayerSpec::Affine { outputs: 10, bias: false };
    assert_eq!(layers("hidden = []\nbias = false"), [bare]);
}

#[test]
fn what_does_nothing_is_not_there() {
    assert_eq!(Model::read("hidden = [7]\ndropout = 0\nbatch_norm = false"), Model::read("hidden = [7]"));
    assert_eq!(Model::read("hidden = [7]\ndropout = { scaling = 'inverted' }"), Model::read("hidden = [7]"));
    assert_eq!(Model::read("hidden = []\ndropout = 0.5\nbatch_norm = true"), Model::read("hidden = []"));
    assert_eq!(Model::read("hidden = [7]\nactivation = 'identity'").layers(10), [affine(7), affine(10)]);
    assert_eq!(
        Model::read("layers = [{ kind = 'affine', width = 7 }, 'identity', { kind = 'dropout', ratio = 0 }, 'affine']"),
        Model::read("hidden = [7]\nactivation = 'identity'")
    );
}

#[test]
fn a_list_that_says_what_a_stack_can_say_is_that_stack() {
    for (list, stack) in [
        ("['affine']", "hidden = []"),
        ("[{ kind = 'affine', width = 10 }]", "hidden = []"),
        ("[{ kind = 'affine', bias = false }, 'sigmoid']", "hidden = []\nbias = false\noutput = 'sigmoid'"),
        ("[{ kind = 'affine', width = 5 }, 'relu', 'affine']", "hidden = [5]"),
        (
            "[{ kind = 'affine', width = 5 }, { kind = 'affine', width = 6 }, 'affine']",
            "hidden = [5, 6]\nactivation = 'identity'",
        ),
        (
            "[{ kind = 'affine', width = 5 }, 'batch-norm', { kind = 'elu', alpha = 2 }, { kind = 'dropout', ratio = \
             0.5 }, 'affine']",
            "hidden = [5]\nbatch_norm = true\nactivation = { kind = 'elu', alpha = 2 }\ndropout = 0.5",
        ),
        (
            "[{ kind = 'affine', width = 5 }, 'leaky-relu', { kind = 'affine', width = 5 }, 'leaky-relu', 'affine', \
             'leaky-relu']",
            "hidden = [5, 5]\nactivation = 'leaky-relu'\noutput = 'leaky-relu'",
        ),
    ] {
        let (list, stack) = (Model::read(&format!("layers = {list}")), Model::read(stack));
        assert!(matches!(stack, Model::Stack(_)));
        assert_eq!(list, stack);
    }
}

#[test]
fn every_other_list_stays_one() {
    for (list, written) in [
        ("['affine', 'relu', 'tanh']", "affine, relu, tanh"),
        ("['batch-norm', 'affine']", "batch-norm, affine"),
        ("[{ kind = 'dropout', ratio = 0.2, scaling = 'inverted' }, 'affine']", "inverted dropout 0.2, affine"),
        (
            "[{ kind = 'affine', width = 5 }, 'relu', { kind = 'affine', width = 6 }, 'tanh', { kind = 'affine', width \
             = 10 }]",
            "affine 5, relu, affine 6, tanh, affine",
        ),
        (
            "[{ kind = 'affine', width = 5, bias = false }, 'leaky-relu', { kind = 'affine', width = 10 }]",
            "affine 5 without bias, leaky-relu 0.01, affine",
        ),
        ("[{ kind = 'affine', width = 5 }, 'relu', 'batch-norm', 'affine']", "affine 5, relu, batch-norm, affine"),
    ] {
        let model = Model::read(&format!("layers = {list}"));
        assert!(matches!(model, Model::List(_)), "{list}");
        assert_eq!(settings(&model), [format!("layers={written}")]);
    }
}

#[test]
fn settings_hold_what_is_not_neutral() {
    let written = |toml| settings(&Model::read(toml));
    assert_eq!(written("hidden = [100, 50]"), ["activation=relu", "bias=true", "hidden=100-50"]);
    assert_eq!(
        written(
            "hidden = []\nactivation = 'elu'\nbias = false\noutput = { kind = 'leaky-relu', slope = 0.5 }\n\
             batch_norm = true"
        ),
        ["activation=elu", "alpha=1", "bias=false", "hidden=", "output=leaky-relu", "output_slope=0.5"]
    );
    assert_eq!(
        written("hidden = [3]\nbatch_norm = true\nactivation = 'leaky-relu'\ndropout = 0.2\noutput = 'elu'"),
        [
            "activation=leaky-relu",
            "batch_norm=true",
            "bias=true",
            "dropout=0.2",
            "dropout_scaling=inference",
            "hidden=3",
            "output=elu",
            "output_alpha=1",
            "slope=0.01"
        ]
    );
}

#[test]
fn a_section_says_its_layers_once() {
    assert_eq!(mistakes(""), ["[network] describes no layers"]);
    assert_eq!(mistakes("activation = 'tanh'"), ["[network] describes no layers"]);
    assert_eq!(
        mistakes("hidden = [3]\nbias = true\nlayers = ['affine']"),
        ["`hidden` and `layers` both describe the layers", "`bias` and `layers` both describe the layers"]
    );
}

#[test]
fn the_last_affine_layer_fits_the_data() {
    assert_eq!(mistakes("layers = []"), ["the list has no affine layer, so there is nothing to train"]);
    assert_eq!(mistakes("layers = ['affine', 'relu', 'affine']"), ["affine layer 1 of 2 has no width"]);
    let nine = "layers = [{ kind = 'affine', width = 9 }, 'relu']";
    assert_eq!(mistakes(nine), ["the width of the last affine layer is 9, but the data needs 10"]);
    // Without known data, there is no mistake.
    assert_eq!(Model::read(nine).layers(10)[0], affine(10));
}

#[test]
fn a_layer_is_a_name_or_a_table() {
    let read = |json: &str| serde_json::from_str::<LayerItem>(json);
    assert_eq!(read("\"batch-norm\"").unwrap(), LayerItem::BatchNorm);
    assert_eq!(read("\"gelu\"").unwrap(), LayerItem::Activation(Activation::Gelu));
    assert_eq!(
        read(r#"{"affine": {"width": 3}}"#).unwrap(),
        LayerItem::Affine(AffineItem { width: Some(count(3)), bias: true })
    );
    let said = |json| read(json).unwrap_err().to_string();
    assert!(said(r#"{"dropout": {}}"#).starts_with("missing field `ratio`"));
    assert!(said(r#"{"dropout": {"ratio": 1}}"#).contains("a ratio from 0 to below 1"));
    let expected = |names: &[&str]| format!("expected one of `{}`", names.join("`, `"));
    assert!(said("\"dense\"").starts_with(&format!("unknown variant `dense`, {}", expected(&LayerItem::NAMES))));
    let others =
        LayerItem::deserialize(&mut serde_json::Deserializer::from_str("\"nothing\"")).err().unwrap().to_string();
    assert!(others.contains(&expected(LayerItem::OTHER_NAMES)), "{others}");
}
