//! A limit that each instance has, or that all share: `TokenBucket(…)` or `Shared(TokenBucket(…))`.
//!
//! serde has no words for it: `Shared` stands beside the variants of another enum. So the name of
//! the variant is read here, and whatever is not `Shared` is handed on.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::EnumAccessDeserializer;
use serde::de::{EnumAccess, Error, IntoDeserializer, VariantAccess, Visitor};
use serde::ser::SerializeStructVariant;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A limit, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Limit<T> {
    /// Each instance has one.
    Own(T),
    /// One for all instances.
    Shared(T),
}

impl<T> Limit<T> {
    /// The limit itself.
    pub fn policy(&self) -> &T {
        match self {
            Limit::Own(policy) | Limit::Shared(policy) => policy,
        }
    }

    /// Whether all instances share it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Limit::Shared(_))
    }
}

/// What is written between the brackets of `Shared(…)`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner<T> {
    policy: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Limit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Limit<T>, D::Error> {
        deserializer.deserialize_enum("Limit", &["Shared"], Reader(PhantomData))
    }
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = Limit<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a limit")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Limit<T>, A::Error> {
        let (Name(name), access) = data.variant()?;
        if name == "Shared" {
            let inner: Inner<T> = access.newtype_variant()?;
            return Ok(Limit::Shared(inner.policy));
        }
        let again = EnumAccessDeserializer::new(Named { name, access });
        T::deserialize(again).map(Limit::Own)
    }
}

/// The name of a variant.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a limit")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name(name.to_owned()))
            }
        }
        deserializer.deserialize_identifier(Read)
    }
}

/// A variant of which the name has been read.
struct Named<A> {
    name: String,
    access: A,
}

impl<'de, A: VariantAccess<'de>> EnumAccess<'de> for Named<A> {
    type Error = A::Error;
    type Variant = A;

    fn variant_seed<V: serde::de::DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, A), A::Error> {
        Ok((seed.deserialize(self.name.into_deserializer())?, self.access))
    }
}

impl<T: Serialize> Serialize for Limit<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Limit::Own(policy) => policy.serialize(serializer),
            Limit::Shared(policy) => {
                let mut shared = serializer.serialize_struct_variant("Limit", 0, "Shared", 1)?;
                shared.serialize_field("policy", policy)?;
                shared.end()
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for Limit<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Limit_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let own = generator.subschema_for::<T>();
        let shared = json_schema!({
            "type": "object",
            "properties": { "policy": own },
            "required": ["policy"],
            "additionalProperties": false,
        });
        let shared = json_schema!({
            "type": "object",
            "properties": { "Shared": shared },
            "required": ["Shared"],
            "additionalProperties": false,
        });
        json_schema!({ "anyOf": [own, shared] })
    }
}
